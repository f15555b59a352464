#!/bin/bash
# Makes maskcam a service of this machine: environment, user, unit, udev rules, configuration. Running it again mends
# or updates; what the user has configured is never changed.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: install.sh [--board cpu|pi|coral|jetson] [--name NAME] [--wheel FILE | --wheels DIR] [--parts DIR] [--dry-run]
       install.sh --uninstall [--name NAME] [--dry-run]

  --board      packages and first configuration; default: what this machine says it is
  --name       a camera more: the unit maskcam@NAME, with the settings of /etc/maskcam/NAME.toml
  --wheel      maskcam's own wheel; default: built from the checkout that this script lies in
  --wheels     a folder with maskcam's wheel and all it needs: install without a network
  --parts      a folder with the wheels of other packages that bring sinks, cameras or backends, and a folder "needed"
               in it with those of what they need
  --dry-run    say what would be done, change nothing
  --uninstall  remove all but the configuration (/etc/maskcam) and the state (/var/lib/maskcam)
TEXT
}

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(dirname "$HERE")
SYSTEM=${MASKCAM_ROOT:-} # a folder that stands for the system, in tests
PREFIX=$SYSTEM/opt/maskcam
UNITS=$SYSTEM/etc/systemd/system
UNIT=$UNITS/maskcam.service
DROP_INS=$UNIT.d
INBOX=maskcam-inbox.path
RULES=$SYSTEM/etc/udev/rules.d/60-maskcam.rules
SYSUSERS=$SYSTEM/etc/sysusers.d/maskcam.conf
CONFIG=$SYSTEM/etc/maskcam/maskcam.toml
service=maskcam
board='' name='' wheel='' wheels='' parts='' offline='' needs='' dry='' uninstall='' scratch=''

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
        --name) name=${2:?--name needs a name}; shift ;;
        --wheel) wheel=${2:?--wheel needs a file}; shift ;;
        --wheels) wheels=${2:?--wheels needs a folder} offline=yes; shift ;;
        --parts) parts=${2:?--parts needs a folder}; shift ;;
        --dry-run) dry=yes ;;
        --uninstall) uninstall=yes ;;
        -h | --help) usage; exit ;;
        *) usage >&2; fail "unknown argument '$1'" ;;
        esac
        shift
    done
    [ -n "$board" ] || board=$(this_board)
    [[ $board =~ ^(cpu|pi|coral|jetson)$ ]] || fail "--board $board: expected cpu, pi, coral or jetson"
    [ -z "$name" ] || name_unit
    [ -z "$wheels" ] || find_wheel
    [ -z "$wheel" ] || [ -f "$wheel" ] || fail "--wheel $wheel: no such file"
    [ -z "$parts" ] || [ -d "$parts" ] || fail "--parts $parts: no such folder"
    # pip runs in a folder of its own
    [ -z "$wheel" ] || wheel=$(realpath "$wheel")
    [ -z "$parts" ] || parts=$(realpath "$parts")
}

name_unit() {
    [[ $name =~ ^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$ && $name != maskcam ]] ||
        fail "--name $name: expected letters a to z, digits and '-', at most 32, and not maskcam"
    service=maskcam@$name
    UNIT=$UNITS/maskcam@.service
    DROP_INS=$UNITS/$service.service.d
    CONFIG=$SYSTEM/etc/maskcam/$name.toml
}

find_wheel() {
    [ -d "$wheels" ] || fail "--wheels $wheels: no such folder"
    wheels=$(realpath "$wheels")
    local found=("$wheels"/maskcam-*.whl)
    [ ${#found[@]} = 1 ] || fail "--wheels $wheels: expected maskcam's wheel there once, found ${#found[@]}"
    wheel=${found[0]}
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
    "$PREFIX/bin/python" -I -c 'import pip' 2>/dev/null || run python3 -I -m venv --clear --system-site-packages "$PREFIX"
    scratch=$PREFIX/install.part # not /tmp, which may be memory; what a power cut leaves goes now
    run rm -rf "$scratch"
    [ -n "$wheel" ] || build
    if [ -z "$wheels" ]; then
        wheels=$scratch/wheels
        local lock=$HERE/locks/$board.txt
        [ "$(uname -m)" != armv7l ] || lock=$HERE/locks/armv7l.txt
        # Exactly the files that the lock names, whatever an index offers.
        run locked "$PREFIX" download --no-deps --dest "$wheels" --requirement "$lock"
    fi
    # maskcam by its path, the rest out of the folder: no index, no pip.conf and no variable has a say.
    run offline "$PREFIX" install --find-links "$wheels" "${wheel}[$board]"
    run offline "$PREFIX" install --force-reinstall --no-deps "$wheel" # an update may bear the same version
    [ -z "$parts" ] || install_parts
}

# Of other packages: they bring what the configuration may name.
install_parts() {
    local found=("$parts"/*.whl)
    [ -e "${found[0]}" ] || fail "--parts $parts: no wheel there"
    run offline "$PREFIX" install --find-links "$wheels" --find-links "$parts/needed" "${found[@]}"
    run offline "$PREFIX" install --force-reinstall --no-deps "${found[@]}"
}

# What the parts that the configuration chooses need, in their own words: extras of maskcam, packages of the system.
install_needs() {
    if [ -n "$dry" ]; then
        echo "would install what the configuration needs: the words extra: and apt: of maskcam config requires"
        return
    fi
    needs=$("$PREFIX/bin/maskcam" config requires ${name:+--config "$CONFIG"}) ||
        fail "correct the configuration, then run this again"
    local extras
    extras=$(words extra | paste -sd, -)
    [ -z "$extras" ] || offline "$PREFIX" install --find-links "$wheels" "${wheel}[$extras]"
    rm -rf "$scratch"
    install_packages
}

# words KIND: NAME of each need KIND:NAME
words() {
    sed -n "s/^$1://p" <<<"$needs"
}

install_packages() {
    local package missing=()
    for package in $(words apt); do
        dpkg-query --show --showformat '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing+=("$package")
    done
    [ ${#missing[@]} != 0 ] || return 0
    if [ -n "$offline" ] || ! command -v apt-get >/dev/null; then
        echo "install.sh: the configuration needs what this system lacks: ${missing[*]}" >&2
        return
    fi
    apt_install "${missing[@]}" || { apt-get -qq update && apt_install "${missing[@]}"; } ||
        fail "the configuration needs ${missing[*]}, which apt-get could not install: correct it, or run this again"
}

apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq --no-install-recommends install "$@"
}

# maskcam's wheel from a copy of the checkout: in the tree setuptools would pack what earlier builds left.
build() {
    [ -f "$ROOT/pyproject.toml" ] || fail "no checkout here to build maskcam from: give --wheel, or run: maskcam service install"
    run mkdir -p "$scratch/source" "$scratch/own"
    run cp -r "$ROOT"/{edge,train,convert,configs,systemd,pyproject.toml,setup.py,README.md,LICENSE,NOTICE} "$scratch/source"
    run python3 -I -m venv "$scratch/build"
    run locked "$scratch/build" install --requirement "$HERE/locks/build.txt"
    run offline "$scratch/build" wheel --no-deps --no-build-isolation --wheel-dir "$scratch/own" "$scratch/source"
    local found=("$scratch"/own/maskcam-*.whl)
    wheel=${found[0]}
}

# locked ENVIRONMENT COMMAND...: pip takes files with the digests of a lock, and no others.
locked() {
    (cd / && "$1/bin/python" -I -m pip "$2" --quiet --disable-pip-version-check --require-hashes --only-binary :all: "${@:3}")
}

# offline ENVIRONMENT COMMAND...: pip asks nobody.
offline() {
    (cd / && PIP_CONFIG_FILE=/dev/null "$1/bin/python" -I -m pip --isolated "$2" --quiet \
        --disable-pip-version-check --no-index "${@:3}")
}

make_user() {
    run install -D -m 644 "$HERE/maskcam.sysusers" "$SYSUSERS"
    run systemd-sysusers "$SYSUSERS"
}

write_configuration() {
    run install -d -m 755 "$(dirname "$CONFIG")"
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

# A drop-in stands as long as a part that the configuration chooses needs it.
fit_drop_in() {
    if [ -n "$dry" ]; then
        echo "would fit to the configuration: $DROP_INS/$1.conf"
    elif grep -qx "$1" <<<"$needs"; then
        install -D -m 644 "$HERE/$1.conf" "$DROP_INS/$1.conf"
    else
        rm -f "$DROP_INS/$1.conf"
    fi
}

# The page gets its port, and peers as its address asks for.
fit_page() {
    fit_drop_in page
    [ -n "$dry" ] || ! grep -qx page <<<"$needs" || {
        local peers=localhost
        ! grep -qx local-network <<<"$needs" || peers+=' link-local 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7'
        sed -i "s|@PORT@|$(words port)|; s|@PEERS@|$peers|" "$DROP_INS/page.conf"
    }
}

# With the page comes what installs the packages that it takes; a further camera's page leaves them to the first one's.
fit_inbox() {
    if [ -n "$dry" ]; then
        echo "would fit to the configuration: $UNITS/$INBOX"
    elif [ -z "$name" ] && grep -qx page <<<"$needs"; then
        install -D -m 644 -t "$UNITS" "$HERE/$INBOX" "$HERE/${INBOX%.path}.service"
        systemctl daemon-reload
        systemctl enable --quiet --now "$INBOX"
    elif [ -z "$name" ]; then
        remove_inbox
    fi
}

remove_inbox() {
    [ ! -e "$UNITS/$INBOX" ] || run systemctl disable --quiet --now "$INBOX"
    run rm -f "$UNITS/$INBOX" "$UNITS/${INBOX%.path}.service"
}

write_unit() {
    if [ -z "$name" ]; then
        run install -D -m 644 "$HERE/maskcam.service" "$UNIT"
    else
        run write_template
    fi
    fit_drop_in network
    fit_drop_in sound
    fit_page
    run install -D -m 644 "$HERE/maskcam.rules" "$RULES"
    run udevadm control --reload || true # a container has no udev
    run udevadm trigger --subsystem-match=gpio --subsystem-match=usb --subsystem-match=dma_heap || true
    run systemctl daemon-reload
    fit_inbox
    run systemctl enable --quiet "$service"
    run systemctl try-restart "$service"
}

# The same unit for any number of cameras: settings, state and runtime directory by the name of each.
write_template() {
    sed -e 's|bin/maskcam run$|& --config /etc/maskcam/%i.toml|' -e 's|alerts off$|& --config /etc/maskcam/%i.toml|' \
        -e 's,^\(RuntimeDirectory\|StateDirectory\)=maskcam$,\1=maskcam-%i,' -e 's|%t/maskcam|&-%i|' \
        -e 's|^Description=.*|& (%i)|' "$HERE/maskcam.service" >"$UNIT"
}

remove() {
    if [ -n "$name" ]; then
        run systemctl disable --now --quiet "$service"
        run rm -rf "$DROP_INS"
        run systemctl daemon-reload
        echo "left in place: $CONFIG, /var/lib/maskcam-$name and /opt/maskcam"
        return
    fi
    [ ! -e "$UNIT" ] || run systemctl disable --now --quiet maskcam
    remove_inbox
    run rm -rf "$PREFIX" "$UNIT" "$DROP_INS" "$RULES" "$SYSUSERS" "${UNIT%.service}@.service"
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
install_needs
write_unit
[ -n "$dry" ] || echo "installed for board '$board'. Start it: systemctl start $service; look: systemctl status $service"
