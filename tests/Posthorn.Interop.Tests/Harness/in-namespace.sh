#!/bin/sh
# in-namespace.sh TREE WORK USERS COMMAND...   runs a program unpacked by fetch-peers.sh as if it were installed, in a mount namespace of its own
set -e
tree=$1 work=$2 users=$3
shift 3
mount --make-rprivate /
mkdir -p "$work/root"
mount -t tmpfs -o mode=0755 none "$work/root"
cp -a /etc "$work/root/etc"
[ -d "$tree/etc" ] && cp -a "$tree/etc/." "$work/root/etc/"
id=9001
for user in $users; do
  echo "$user:x:$id:$id::/nonexistent:/usr/sbin/nologin" >> "$work/root/etc/passwd"
  echo "$user:x:$id:" >> "$work/root/etc/group"
  id=$((id + 1))
done
mount --bind "$work/root/etc" /etc
mount -t tmpfs -o mode=0755 none /var
mkdir -p /var/spool /var/lib /var/log /var/mail /var/run /var/empty
mkdir -m 1777 /var/tmp
if [ -d "$tree/usr/libexec" ] && [ -d /usr/libexec ]; then mount --bind "$tree/usr/libexec" /usr/libexec; fi
export LD_LIBRARY_PATH="$tree/usr/lib/$(uname -m)-linux-gnu"
exec "$@"
