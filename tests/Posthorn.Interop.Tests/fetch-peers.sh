#!/bin/sh
# Unpacks mail and DNS servers from Debian's packages into a folder, without installing them (apt would remove one mail server for another).
#   fetch-peers.sh FOLDER      then set POSTHORN_PEERS=FOLDER for the tests
set -e
[ -n "$1" ] || { echo "usage: $0 FOLDER" >&2; exit 2; }
mkdir -p "$1/packages"
cd "$1"
root=$(pwd)

# fetch NAME PACKAGE...    packages that the system's release does not have are left out: their library has another name there
fetch() {
  name=$1
  shift
  rm -rf "$name"
  mkdir -p "$name"
  for package in "$@"; do
    apt-cache show "$package" > /dev/null 2>&1 || continue
    (cd packages && apt-get download -qq "$package")
    dpkg -x packages/"$package"_*.deb "$name"
  done
  # What lies below /lib would hide the system's.
  rm -rf "$root/$name/lib"
}

fetch exim exim4-base exim4-daemon-light libidn12 libnsl2 libgnutls-dane0 libdb5.3 libdb5.3t64 libunbound8 libevent-2.1-7 libevent-2.1-7t64
fetch opensmtpd opensmtpd libdb5.3 libdb5.3t64 libevent-2.1-7 libevent-2.1-7t64
fetch pcre postfix-pcre
fetch dns unbound nsd ldnsutils libldns3 libldns3t64 libfstrm0 libprotobuf-c1 libpython3.11 libpython3.13 libnghttp2-14 libevent-2.1-7 libevent-2.1-7t64
echo "unpacked: export POSTHORN_PEERS=$root"
