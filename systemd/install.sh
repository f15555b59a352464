#!/bin/bash
# Makes maskcam a service of this machine: environment, user, unit, udev rules, configuration. Running it again mends
# or updates; what the user has configured is never changed.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: install.sh [--board cpu|pi|coral|jetson] [--wheels DIR] [--dry-run]
       install.sh --uninstall [--dry-run]

  --board      packages and first configuration; default: what this machine says it is
  --wheels     install from a folder of wheels, without a network; filled on a machine with one by
               pip wheel --wheel-dir DIR '.[pi]'
  --dry-run    say what would be done, change nothing
  --uninstall  remove all but the configuration (/etc/maskcam) and the state (/var/lib/maskcam)
TEXT
}

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(dirname "$HERE")
PREFIX=/opt/maskcam
UNIT=/etc/systemd/system/maskcam.service
DROP_INS=$UNIT.d
RULES=/etc/udev/rules.d/60-maskcam.rules
SYSUSERS=/etc/sysusers.d/maskcam.conf
CONFIG=/etc/maskcam/maskcam.toml
board='' wheels='' dry='' uninstall=''

fail() {
    echo "install.sh: error: $1" >&2
    exit 2
}

run() {
    if [ -n "$dry" ]; then echo "would run: $*"; else "$@"; fi
}

read_arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
        --board) board=${2:?--board needs a name}; shift ;;
        --wheels) wheels=${2:?--wheels needs a folder}; shift ;;
        --dry-run) dry=yes ;;
        --uninstall) uninstall=yes ;;
        -h | --help) usage; exit ;;
        *) usage >&2; fail "unknown argument '$1'" ;;
        esac
        shift
    done
    [ -n "$board" ] || board=$(this_board)
    [[ $board =~ ^(cpu|pi|coral|jetson)$ ]] || fail "--board $board: expected cpu, pi, coral or jetson"
    [ -z "$wheels" ] || [ -d "$wheels" ] || fail "--wheels $wheels: no such folder"
}

this_board() {
    case $(tr -d '\0' 2>/dev/null </proc/device-tree/model) in
    *Raspberry*) echo pi ;;
    *NVIDIA* | *Jetson*) echo jetson ;;
    *) echo cpu ;;
    esac
}

check_machine() {
    [ -n "$dry" ] || [ "$(id -u)" = 0 ] || fail "must run as root: sudo $0"
    command -v systemctl >/dev/null || fail "no systemctl: maskcam's service needs systemd"
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || fail "python3 is missing or older than 3.10"
    python3 -c 'import ensurepip' 2>/dev/null || fail "python3 has no venv: apt-get install python3-venv"
}

# The system's packages stay visible: picamera2 and lgpio come from there.
make_environment() {
    # An upgrade of the system can take away the Python that the environment was made with.
    "$PREFIX/bin/python" -c 'import pip' 2>/dev/null || run python3 -m venv --clear --system-site-packages "$PREFIX"
    local pip=("$PREFIX/bin/python" -m pip install --quiet --disable-pip-version-check)
    if [ -n "$wheels" ]; then
        pip+=(--no-index --find-links "$wheels")
        run "${pip[@]}" "maskcam[$board]"
        run "${pip[@]}" --force-reinstall --no-deps maskcam # an update may bear the same version
    else
        run "${pip[@]}" "${ROOT}[$board]"
    fi
}

make_user() {
    run install -D -m 644 "$HERE/maskcam.sysusers" "$SYSUSERS"
    run systemd-sysusers "$SYSUSERS"
}

write_configuration() {
    run install -d -m 755 /etc/maskcam
    if [ -e "$CONFIG" ]; then
        echo "$CONFIG stays as it is"
        return
    fi
    local from="$ROOT/configs/$board.toml"
    case $board in
    coral) from=$ROOT/configs/pi-coral.toml ;;
    cpu) from=/dev/null ;; # the defaults
    esac
    run install -m 640 -g maskcam "$from" "$CONFIG" # group only: it may come to hold passwords
}

# A drop-in stands as long as the effective configuration has a line that matches.
fit_drop_in() {
    if [ -n "$dry" ]; then
        echo "would fit to the configuration: $DROP_INS/$1.conf"
    elif grep -Eq "$2" <<<"$effective"; then
        install -D -m 644 "$HERE/$1.conf" "$DROP_INS/$1.conf"
    else
        rm -f "$DROP_INS/$1.conf"
    fi
}

write_unit() {
    local effective=''
    [ -n "$dry" ] || effective=$("$PREFIX/bin/maskcam" config show) || fail "correct the configuration, then run this again"
    run install -D -m 644 "$HERE/maskcam.service" "$UNIT"
    fit_drop_in network '^source = ".*://|^\[sinks\.(webhook|mqtt)\]'
    fit_drop_in sound '^\[sinks\.command\]'
    run install -D -m 644 "$HERE/maskcam.rules" "$RULES"
    run udevadm control --reload || true # a container has no udev
    run udevadm trigger --subsystem-match=gpio --subsystem-match=usb --subsystem-match=dma_heap || true
    run systemctl daemon-reload
    run systemctl enable --quiet maskcam
    run systemctl try-restart maskcam
}

remove() {
    [ ! -e "$UNIT" ] || run systemctl disable --now --quiet maskcam
    run rm -rf "$PREFIX" "$UNIT" "$DROP_INS" "$RULES" "$SYSUSERS"
    run systemctl daemon-reload
    echo "left in place: /etc/maskcam, /var/lib/maskcam and the user maskcam"
}

read_arguments "$@"
check_machine
if [ -n "$uninstall" ]; then
    remove
    exit
fi
make_user
make_environment
write_configuration
write_unit
[ -n "$dry" ] || echo "installed for board '$board'. Start it: systemctl start maskcam; look: systemctl status maskcam"
