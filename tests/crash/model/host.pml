/*
 * The host under update.pml: what is on the disk, what a power cut leaves of it, and the single
 * effects of an update with what must be true when each happens.
 */
#define FILES 2 /* two can differ; a third says nothing new */
#define NOBODY 2

mtype:phase = { none, stage, backup, swap, restart, doctor, rollback, needs_operator, committed,
                rolled_back, abandoned }
mtype:bytes = { absent, old, new, torn }
mtype:verdict = { unjudged, passed, skipped, forced }

/* Two images of everything: what a process sees, and what a power cut leaves. A kill loses nothing;
   a cut loses any of the changes since the last sync, and keeps the others (the POSIX model). */
#define LIVE 0
#define DISK 1

typedef Folder { /* the destinations' folder: what each of a file's three names holds */
  mtype:bytes dest[FILES];
  mtype:bytes staged[FILES];
  mtype:bytes saved[FILES]; /* the backup */
};
/* The changes of a file's names, in the order in which they can be made between two syncs. */
#define STAGED 1
#define BACKED_UP 2
#define SWAPPED 4
#define PUT_BACK 8
#define NO_STAGED 16
#define NO_BACKUP 32
typedef Journal { /* what story_of() reads of the newest transaction's events */
  byte id;
  mtype:phase phase;
  mtype:verdict verdict;
  bool discards;
  bool new_code; /* the intent to run it is recorded */
  bool waits;    /* recover --boot of this boot left it for the services */
  byte resumed;
  byte resumed_after_new_code;
  byte equal;    /* resumptions in a row that found what the last one found: */
  mtype:phase seen_phase;
  byte seen_files
};
Folder folder[2];
Journal journal[2];
byte intent;         /* the id in the synced intent file */
byte unsynced[FILES]; /* which changes of its names are not certain to be on the disk */
bool written[FILES]; /* the new bytes are on the disk, not only in memory */

byte lock = NOBODY;  /* a kernel lock: it dies with its holder */
bool at_work[2];     /* has a command to give, or gives it */
bool holds[2];       /* this worker has a session, and may change things */
bool killed[2];      /* it is gone, and its next step is to begin anew: before anything else */
bool services_up = true;
mtype:bytes running = old; /* what the units run; absent: nothing */
bool has_units, has_doctor;

/* The newest transaction's plan, and what only the model knows of it. */
byte begun;
bool to_older;          /* a `rollback` command: its "new" is an older version */
bool brings_a_file;     /* file 0 did not exist before: its old bytes are none at all */
bool booted;            /* the machine was booted since it began */
bool doctor_passed;
bool new_code_ran;
byte new_code_again;    /* how often recovery went on with code that may be the reason of a crash */
byte tries;             /* resumptions in a row that acted on one and the same picture: */
mtype:phase tried_phase;
byte tried_files;

#define DYING (killed[0] || killed[1])
#define PHASE journal[LIVE].phase
#define UNFINISHED(phase) (phase != none && phase != committed && phase != rolled_back && \
                           phase != abandoned)
#define BOTH(is) (is(0) && is(1))
#define OLD_OF(f) (brings_a_file && f == 0 -> absent : old)
#define IS_OLD(f) (folder[LIVE].dest[f] == OLD_OF(f))
#define IS_NEW(f) (folder[LIVE].dest[f] == new)
#define DEST_IS_SYNCED(f) ((unsynced[f] & (SWAPPED | PUT_BACK)) == 0)
#define IS_OLD_ON_DISK(f) (IS_OLD(f) && folder[DISK].dest[f] == OLD_OF(f) && DEST_IS_SYNCED(f))
#define IS_NEW_ON_DISK(f) (IS_NEW(f) && folder[DISK].dest[f] == new && DEST_IS_SYNCED(f) && \
                           written[f])
#define IS_WHOLE(f) (IS_OLD(f) || IS_NEW(f))
#define NEW_AVAILABLE(f) (IS_NEW(f) || folder[LIVE].staged[f] == new)
#define OLD_AVAILABLE(f) (IS_OLD(f) || OLD_OF(f) == absent || folder[LIVE].saved[f] == old)
#define NO_OWN_NAMES(f) (folder[LIVE].staged[f] == absent && folder[LIVE].saved[f] == absent)
/* New code may have run: we started it, or the boot did, before a recover --boot had seen to it. */
#define MAY_HAVE_RUN_NEW (journal[LIVE].new_code || (booted && !at_boot && WEAK != look_at_boot))
#define PICTURE ((IS_NEW(0) -> 1 : 0) + (IS_NEW(1) -> 2 : 0))
/* The files are what the newest transaction calls new; what an earlier one committed is "old". */
#define KEPT_NEW (PHASE == committed && journal[LIVE].id == begun)

inline copy_folder(from, to) {
  d_step {
    folder[to].dest[0] = folder[from].dest[0]; folder[to].dest[1] = folder[from].dest[1];
    folder[to].staged[0] = folder[from].staged[0]; folder[to].staged[1] = folder[from].staged[1];
    folder[to].saved[0] = folder[from].saved[0]; folder[to].saved[1] = folder[from].saved[1]
  }
}
inline sync_folder() {
  copy_folder(LIVE, DISK);
  unsynced[0] = 0; unsynced[1] = 0
}
inline copy_journal(from, to) {
  d_step {
    journal[to].id = journal[from].id;
    journal[to].phase = journal[from].phase;
    journal[to].verdict = journal[from].verdict;
    journal[to].discards = journal[from].discards;
    journal[to].new_code = journal[from].new_code;
    journal[to].waits = journal[from].waits;
    journal[to].resumed = journal[from].resumed;
    journal[to].resumed_after_new_code = journal[from].resumed_after_new_code;
    journal[to].equal = journal[from].equal;
    journal[to].seen_phase = journal[from].seen_phase;
    journal[to].seen_files = journal[from].seen_files
  }
}

/* ---- The journal. go() is the only way to another phase, and says so when the search first takes
   it. An event is visible at once; a durable one takes all before it to the disk (one WAL). */

#define DURABLE copy_journal(LIVE, DISK)
#define VISIBLE if :: DURABLE :: skip fi /* at once, or not before the next durable one */
#define go(from, to) enter(from, to); \
  c_code { { static int told; if (!told++) printf("move %s -> %s\n", #from, #to); } }

inline enter(from, to) {
  d_step {
    assert(PHASE == from);
    PHASE = to;
    journal[LIVE].waits = false;
    journal[LIVE].new_code = journal[LIVE].new_code || to == restart || to == doctor
  }
}
inline end_story() { /* nobody reads it again: states that differ in it only are one */
  d_step {
    journal[LIVE].discards = false; journal[LIVE].new_code = false;
    journal[LIVE].resumed = 0; journal[LIVE].resumed_after_new_code = 0;
    journal[LIVE].equal = 0; journal[LIVE].seen_phase = none; journal[LIVE].seen_files = 0;
    tries = 0; tried_phase = none; tried_files = 0; new_code_again = 0;
    to_older = false; booted = false; doctor_passed = false; new_code_ran = false
  }
}
inline go_to_rollback() {
  if
  :: PHASE == stage -> go(stage, rollback)
  :: PHASE == backup -> go(backup, rollback)
  :: PHASE == swap -> go(swap, rollback)
  :: PHASE == restart -> go(restart, rollback)
  :: PHASE == doctor -> go(doctor, rollback)
  fi
}
inline go_to_operator() {
  if
  :: PHASE == stage -> go(stage, needs_operator)
  :: PHASE == backup -> go(backup, needs_operator)
  :: PHASE == swap -> go(swap, needs_operator)
  :: PHASE == restart -> go(restart, needs_operator)
  :: PHASE == doctor -> go(doctor, needs_operator)
  :: PHASE == rollback -> go(rollback, needs_operator)
  fi
}
inline go_to_committed(how) {
  journal[LIVE].verdict = how;
  if
  :: PHASE == swap -> go(swap, committed)
  :: PHASE == restart -> go(restart, committed)
  :: PHASE == doctor -> go(doctor, committed)
  :: PHASE == needs_operator -> go(needs_operator, committed)
  fi;
  assert(BOTH(IS_NEW_ON_DISK));
  assert(how == forced || (has_doctor -> how == passed && doctor_passed : how == skipped));
  assert(how == forced || !has_units || running == new);
  end_story()
}
inline go_to_rolled_back() {
  if
  :: PHASE == rollback -> go(rollback, rolled_back)
  :: PHASE == needs_operator -> go(needs_operator, rolled_back)
  fi;
  assert(BOTH(IS_OLD_ON_DISK));
  assert(!has_units || running != new);
  end_story()
}

/* ---- The files: each of these is one system call. */

inline stage_file(f) {
  d_step { folder[LIVE].staged[f] = new; unsynced[f] = unsynced[f] | STAGED }
}
inline back_up(f) { /* a hard link; there may be nothing to link */
  d_step { folder[LIVE].saved[f] = OLD_OF(f); unsynced[f] = unsynced[f] | BACKED_UP }
}
inline put_new(f) { /* one rename */
  rule((journal[DISK].phase == swap && journal[DISK].id == begun && intent == begun) ||
       journal[DISK].phase == needs_operator);
  assert(folder[LIVE].staged[f] == new);
  folder[LIVE].dest[f] = new; folder[LIVE].staged[f] = absent;
  unsynced[f] = unsynced[f] | SWAPPED
}
inline put_old(f) { /* one rename, or the removal of what was not there before */
  rule(journal[DISK].phase == rollback || journal[DISK].phase == needs_operator);
  assert(OLD_AVAILABLE(f));
  folder[LIVE].dest[f] = OLD_OF(f); folder[LIVE].saved[f] = absent;
  unsynced[f] = unsynced[f] | PUT_BACK
}
inline remove_own_names(f) { /* after a commit the backup becomes `.previous` */
  if
  :: d_step { !NO_OWN_NAMES(f) ->
       assert(IS_OLD(f) || !UNFINISHED(journal[DISK].phase)); /* never the only copy */
       folder[LIVE].staged[f] = absent; folder[LIVE].saved[f] = absent;
       unsynced[f] = unsynced[f] | NO_STAGED | NO_BACKUP
     }
  :: else
  fi
}

/* ---- The units. */

inline start_old() { /* it may not start */
  if
  :: has_units -> if :: running = old :: running = absent fi
  :: else
  fi
}
inline services_come_up() {
  services_up = true;
  running = (IS_NEW(0) || IS_NEW(1) -> new : old)
}

/* ---- The two misfortunes. */

inline kill(worker) {
  d_step {
    killed[worker] = true; holds[worker] = false;
    lock = (lock == worker -> NOBODY : lock);
    if :: !services_up && worker == 0 -> services_come_up() :: else fi
  }
}
#define KEEP_OR_LOSE(f, change, what) if :: (unsynced[f] & change) -> what :: skip fi
inline cut(f) {
  KEEP_OR_LOSE(f, STAGED, folder[DISK].staged[f] = new);
  KEEP_OR_LOSE(f, BACKED_UP, folder[DISK].saved[f] = OLD_OF(f));
  KEEP_OR_LOSE(f, SWAPPED, folder[DISK].dest[f] = new; folder[DISK].staged[f] = absent);
  KEEP_OR_LOSE(f, PUT_BACK, folder[DISK].dest[f] = OLD_OF(f); folder[DISK].saved[f] = absent);
  KEEP_OR_LOSE(f, NO_STAGED, folder[DISK].staged[f] = absent);
  KEEP_OR_LOSE(f, NO_BACKUP, folder[DISK].saved[f] = absent);
  unsynced[f] = 0;
  if /* a name may be there without its bytes */
  :: !written[f] && folder[DISK].staged[f] == new -> folder[DISK].staged[f] = torn
  :: !written[f] && folder[DISK].dest[f] == new -> folder[DISK].dest[f] = torn
  :: skip
  fi;
  written[f] = (folder[DISK].dest[f] == new || folder[DISK].staged[f] == new)
}
inline cut_power() {
  cut(0); cut(1);
  d_step {
    copy_folder(DISK, LIVE); copy_journal(DISK, LIVE);
    killed[0] = holds[0]; holds[0] = false; at_work[0] = true;
    killed[1] = holds[1]; holds[1] = false; at_work[1] = true;
    journal[LIVE].waits = false; journal[DISK].waits = false; /* a note of another boot */
    lock = NOBODY; booted = true; services_up = false; running = absent;
    assert(BOTH(IS_WHOLE))
  }
}
