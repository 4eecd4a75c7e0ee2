#!/bin/sh
# Small images with one of each kind of thing in them, for read_image_fuzzer.
# usage: make_corpus.sh FOLDER
set -eu
PATH="$PATH:/usr/sbin:/sbin"
corpus=$1
mkdir -p "$corpus"
source=$(mktemp -d)
trap 'rm -rf "$source"' EXIT
mkdir -p "$source/a/b/c"
echo text > "$source/a/file"
head -c 30000 /dev/zero | tr '\0' x > "$source/a/large"
ln "$source/a/file" "$source/a/b/second"
ln -s target "$source/a/link"
ln -s "$(printf '%0200d' 0)" "$source/a/long"
for number in $(seq 40); do : > "$source/a/b/c/name-that-takes-room-$number"; done

make() {
  name=$1
  shift
  mke2fs -q -F -t ext4 -b 1024 -N 96 -d "$source" "$@" "$corpus/$name" 384k
  debugfs -w -f - "$corpus/$name" > /dev/null 2>&1 <<'COMMANDS'
mknod pipe p
ea_set /a/file user.small value
ea_set /a/large security.capability odd
COMMANDS
}
make plain -O ^metadata_csum,^has_journal,^resize_inode
make blocks -O ^extents,^64bit,^metadata_csum,^has_journal,^resize_inode
make inline -O inline_data,^metadata_csum,^has_journal,^resize_inode
make small-inodes -I 128 -O ^metadata_csum,^has_journal,^resize_inode
make indexed -O ^metadata_csum,^has_journal,^resize_inode,dir_index
e2fsck -fyD "$corpus/indexed" > /dev/null 2>&1 || test $? -lt 4
make clusters -O bigalloc,^metadata_csum,^has_journal,^resize_inode -C 4096
