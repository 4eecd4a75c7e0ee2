#pragma once

#include <string_view>

// Made once with Debian's minisign 0.11 and two keys without a password that were thrown away, so
// that the tests need no minisign: minisign -S -W -s key -m message -t 'banger 1.4.0'
namespace update::fixture {

inline constexpr std::string_view kMessage = "a release of banger\n";

inline constexpr std::string_view kPublicKey =
    "untrusted comment: minisign public key F664960325FC74BA\n"
    "RWS6dPwlA5Zk9hfjhNZJM+1tFhv3ZApxW5iaE7CEb0XFcSOmz5afl58y\n";
inline constexpr std::string_view kKeyId = "F664960325FC74BA";

inline constexpr std::string_view kOtherPublicKey =
    "untrusted comment: minisign public key FB79F1DB3F3785BE\n"
    "RWS+hTc/2/F5+1z3s5nlhf6ei92DMUfzwMMSIgacXFb6xvFBB+GExlWt\n";

inline constexpr std::string_view kSignature =
    "untrusted comment: anything\n"
    "RUS6dPwlA5Zk9kfaiuxe6QisGgE/"
    "YVeu32MweAa8CANpBhAf83X7JkO76iPTmvpotQWC++HghZujjPsX0vjsnoADbatgj6AZ"
    "Kgw=\n"
    "trusted comment: banger 1.4.0\n"
    "71mUMwVnE/5vdZWIprdiTO/vdBQuDkrmJktlRELHrwxvjWmDt5XXp1VwP4m7W0eEQ8WrN3BMIMXmf9rZOt4ZBg==\n";

/// The same message and key with another trusted comment.
inline constexpr std::string_view kOtherComment =
    "untrusted comment: signature from minisign secret key\n"
    "RUS6dPwlA5Zk9kfaiuxe6QisGgE/"
    "YVeu32MweAa8CANpBhAf83X7JkO76iPTmvpotQWC++HghZujjPsX0vjsnoADbatgj6AZ"
    "Kgw=\n"
    "trusted comment: another comment\n"
    "KpWeCE6Kfr+XmCy6izter4JRfbAG0TPXIlkDiAys1zzkNBCKLdvdjmAXDVYPDTdDmWYlAdea2Y1dYYcg19uRCw==\n";

/// minisign -S -l: Ed25519 over the message itself.
inline constexpr std::string_view kLegacySignature =
    "untrusted comment: signature from minisign secret key\n"
    "RWS6dPwlA5Zk9qkgZjDRnP/"
    "2t7EzLBjew9XwVN82E8vuoCCVzUmOcvKbxQhaFnSRE07OxX0hyGtjY+n8IkoPoYW1y85MtgAP"
    "lwE=\n"
    "trusted comment: banger 1.4.0\n"
    "psOXQtdLARKHzJPn/8WNLtIhmejI5MpPzfV7NMhBC+7u3UmkyJn/ZjlSBDaOIAGzZ+hhsfcBibfxsTOaZ7/8BA==\n";

/// The same message, signed with the other key.
inline constexpr std::string_view kOtherKeysSignature =
    "untrusted comment: signature from minisign secret key\n"
    "RUS+hTc/2/"
    "F5+2I9gpSHr4NmnewKAaj7im20vQgZZXKylhp8AHyU6mlR8bEM8zMoKacg369rroUWKPJn3CVxrkvn6PDs9GAe"
    "iQM=\n"
    "trusted comment: banger 1.4.0\n"
    "O6Szn5CVml6JgM1bWjkRdaGd11TepfpmrY/0RnQLh0mdrWi19kpp1MebRTt7GNB2rS4YhZv+j1uhV0AxRzTJBA==\n";

}  // namespace update::fixture
