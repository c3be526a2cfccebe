#!/bin/sh
# Runs the Nearcast appliance on the runtime that the package brings, always as the service's user.
set -eu

home=/usr/lib/nearcast-appliance
user=nearcast-appliance
settings=/etc/nearcast/appliance.env

# libatomic, which the runtime is linked against and a minimal system does not have.
LD_LIBRARY_PATH=$home/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH

die() { status=$1; shift; printf 'nearcast-appliance: %s\n' "$*" >&2; exit "$status"; }

# program HOW ARGUMENT… leaves root's rights behind, all but the one to listen on a port below 1024. HOW is `replace`
# (signals reach it) or `call`.
program() {
  how=$1; shift
  set -- "$home/bin/node" "$home/app/bin.js" "$@"
  if [ "$(id -u)" = 0 ]; then
    set -- setpriv --reuid "$user" --regid "$user" --init-groups --inh-caps=-all,+net_bind_service \
      --ambient-caps=-all,+net_bind_service --bounding-set=-all,+net_bind_service --no-new-privs "$@"
    cd /
  fi
  if [ "$how" = replace ]; then exec "$@"; else "$@"; fi
}

# What `enrol` has written: the service reads the same file.
load_settings() {
  [ -r "$settings" ] || return 0
  set -a
  # shellcheck source=/dev/null
  . "$settings"
  set +a
}

# option NAME ARGUMENT… prints the last value given for an option.
option() {
  name=$1 value='' next=''; shift
  for argument in "$@"; do
    case $argument in
      "$name="*) value=${argument#*=} ;;
      *) [ -z "$next" ] || value=$argument ;;
    esac
    next=''
    [ "$argument" != "$name" ] || next=1
  done
  printf '%s' "$value"
}

enrol() {
  [ "$(id -u)" = 0 ] || die 77 'enrolling needs root; run: sudo nearcast-appliance enrol CODE --control-url URL'
  program call enrol "$@"
  url=$(option --control-url "$@")
  if [ -n "$url" ]; then
    printf '# Written by nearcast-appliance enrol.\nNEARCAST_APPLIANCE_CONTROL_URL=%s\n' "$url" >"$settings.new"
    chmod 0644 "$settings.new"
    mv "$settings.new" "$settings"
  fi
  if [ -d /run/systemd/system ]; then
    systemctl restart nearcast-appliance.service
    echo 'nearcast-appliance runs. Its log: journalctl -u nearcast-appliance -f'
  else
    echo 'There is no systemd here; run: nearcast-appliance'
  fi
}

load_settings
if [ "${1:-}" != enrol ]; then
  program replace "$@"
fi
case " $* " in
  *' --help '*) program replace "$@" ;;
  *) shift; enrol "$@" ;;
esac
