#!/bin/sh
# Turns a freshly written card into a working camera. It lies on the boot partition; `maskcam flash` put it there.
#   first-boot.sh enable   make it a service of this system; called at every boot by cloud-init, or once by firstrun.sh
#   first-boot.sh run      what the service does: at every boot, until it has succeeded
# A step that is done leaves a mark, and every step can be done again: a power cut costs one step, never the card.
# The green LED blinks the number of the step, slowly while it works, fast when it failed:
#   1 check the card   2 prepare the system   3 install   4 start the camera
set -u

ROOT=${MASKCAM_ROOT:-} # a folder that stands for the system, in tests
BOOT=$ROOT/boot/firmware
CARD=$BOOT/maskcam
LOG=$BOOT/maskcam-first-boot.log
UNIT=maskcam-first-boot.service
[ -r "$CARD/first-boot.conf" ] || exit 0
. "$CARD/first-boot.conf" # ID BOARD OFFLINE PYTHON SSH
STATE=$ROOT/var/lib/maskcam-first-boot/$ID
LED=
for led in "$ROOT"/sys/class/leds/ACT "$ROOT"/sys/class/leds/led0; do
    [ ! -w "$led/brightness" ] || LED=$led
done

# A file that appears complete or not at all, even when the power goes.
put() {
    mkdir -p "$(dirname "$1")" && cat >"$1.part" && sync && mv "$1.part" "$1" && sync
}

enable() {
    [ ! -e "$STATE/done" ] || return 0
    put "$ROOT/etc/systemd/system/$UNIT" <<TEXT
[Unit]
Description=maskcam: first boot
RequiresMountsFor=/boot/firmware
After=network.target
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart=/bin/sh /boot/firmware/maskcam/systemd/first-boot.sh run
TimeoutStartSec=infinity
Restart=on-failure
RestartSec=5

[Install]
WantedBy=multi-user.target
TEXT
    systemctl daemon-reload
    systemctl enable "$UNIT"
    systemctl start --no-block "$UNIT"
}

say() {
    echo "$(cut -d. -f1 "$ROOT/proc/uptime" 2>/dev/null) s: $*" # the clock of a Pi without network is wrong
}

# What happened, for whoever takes the card out; untouched when nothing new happened, for every write wears the card.
publish() {
    cut -d' ' -f3- "$STATE/log" >"$STATE/log.now"
    cmp -s "$STATE/log.now" "$STATE/log.published" && return
    put "$LOG" <"$STATE/log"
    mv "$STATE/log.now" "$STATE/log.published"
}

light() {
    [ -z "$LED" ] || echo "$1" >"$LED/brightness"
}

# blink NUMBER SECONDS
blink() {
    n=$1
    while [ "$n" -gt 0 ]; do
        light 1; sleep "$2"; light 0; sleep "$2"
        n=$((n - 1))
    done
    sleep 1.5
}

blinker=
progress() {
    [ -n "$LED" ] || return 0
    [ -e "$STATE/trigger" ] || sed 's/.*\[\(.*\)\].*/\1/' "$LED/trigger" | put "$STATE/trigger"
    echo none >"$LED/trigger"
    (while :; do blink "$1" 0.4; done) &
    blinker=$!
}

quiet() {
    [ -z "$blinker" ] || kill "$blinker" 2>/dev/null
    blinker=
}

# step NUMBER NAME: runs the function NAME unless it is marked as done; on failure shows the number and gives up.
step() {
    [ ! -e "$STATE/$2" ] || return 0
    say "step $1: $2"
    progress "$1"
    if "$2"; then
        quiet
        : | put "$STATE/$2"
        publish
        return 0
    fi
    quiet
    say "step $1: $2 failed; trying again"
    publish
    rounds=10
    while [ "$rounds" -gt 0 ]; do
        blink "$1" 0.12
        rounds=$((rounds - 1))
    done
    exit 1
}

check() {
    version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if [ "$OFFLINE" = yes ] && [ "$version" != "$PYTHON" ]; then
        say "this system has Python $version, the card was prepared for $PYTHON: run maskcam flash again"
        return 1
    fi
    (cd "$BOOT" && sha256sum --check --quiet maskcam/SHA256SUMS) || {
        say "the card is damaged: run maskcam flash again, or take another card"
        return 1
    }
}

# The journal stays in memory: a log wears a card out, and a card is what fails first.
prepare() {
    put "$ROOT/etc/systemd/journald.conf.d/60-maskcam.conf" <<TEXT || return 1
[Journal]
Storage=volatile
RuntimeMaxUse=16M
TEXT
    systemctl restart systemd-journald || return 1
    [ "$SSH" != yes ] || systemctl enable --now ssh
}

install_it() {
    # What an interrupted pip leaves looks installed; the first try is the only one that may find nothing.
    [ ! -e "$STATE/begun" ] || rm -rf "$ROOT/opt/maskcam"
    : | put "$STATE/begun"
    # maskcam itself always comes from the card; with a network the rest comes from there, by the lock of the card.
    if [ "$OFFLINE" = yes ]; then
        set -- --wheels "$CARD/wheels"
    else
        set -- --wheel "$CARD"/wheels/maskcam-*.whl
    fi
    for part in "$CARD"/parts/*.whl; do # of other packages
        [ ! -e "$part" ] || set -- "$@" --parts "$CARD/parts"
        break
    done
    bash "$CARD/systemd/install.sh" --board "$BOARD" "$@"
}

start() {
    systemctl enable maskcam && systemctl restart maskcam && return
    journalctl --unit maskcam --lines 30 --no-pager --output cat
    say "installed, but the camera does not start: the lines above say why; maskcam.toml on this card can mend it"
    return 1
}

run() {
    [ ! -e "$STATE/done" ] || return 0
    mkdir -p "$STATE"
    exec >"$STATE/log" 2>&1
    step 1 check
    step 2 prepare
    step 3 install_it
    step 4 start
    say "done: the camera runs"
    publish
    if [ -n "$LED" ] && [ -s "$STATE/trigger" ]; then
        cat "$STATE/trigger" >"$LED/trigger"
    fi
    systemctl disable "$UNIT"
    : | put "$STATE/done"
}

case ${1:-} in
enable) enable ;;
run) run ;;
*) echo "usage: first-boot.sh enable|run" >&2; exit 2 ;;
esac
