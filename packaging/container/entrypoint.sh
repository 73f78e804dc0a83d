#!/bin/sh
# Starts the server, or one of its commands, as the account that owns the data. The shell is replaced each time, so the
# server is process 1 and hears the signals itself.
set -eu

own=$(id -u):$(id -g)
if [ "$(id -u)" -ne 0 ]; then
  if [ "${PUID:-$(id -u)}:${PGID:-$(id -g)}" != "$own" ]; then
    echo "PUID and PGID are set, but this container runs as $own and cannot change that." >&2
    echo "Start it as root (user: \"0:0\"), or leave them out and set user: \"$own\" to what you need." >&2
    exit 1
  fi
  exec anki-sync-server "$@"
fi

uid=${PUID:-1000}
gid=${PGID:-1000}
case $uid$gid in
  *[!0-9]*)
    echo "PUID and PGID are numbers, such as 1000." >&2
    exit 1
    ;;
esac
if [ "$uid" -eq 0 ]; then
  echo "PUID is 0. Choose another account: the server needs no rights of root." >&2
  exit 1
fi
# Once, after the account was changed; a large folder takes a while.
if [ "$(stat -c %u:%g "$SYNC_BASE")" != "$uid:$gid" ]; then
  chown -R "$uid:$gid" "$SYNC_BASE"
fi
exec setpriv --reuid="$uid" --regid="$gid" --clear-groups --no-new-privs anki-sync-server "$@"
