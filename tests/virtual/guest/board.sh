#!/bin/bash
# In the guest: a camera that shows what it is fed, and, where the board is no Raspberry Pi and has none of its own, a
# bank of 54 lines named and labelled like a Raspberry Pi's.
set -euo pipefail

simulate_pins() {
    modprobe gpio-sim
    mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
    local bank=/sys/kernel/config/gpio-sim/board/bank0
    mkdir -p "$bank/line17" "$bank/line27"
    echo 54 >"$bank/num_lines"
    echo pinctrl-bcm2711 >"$bank/label"
    echo GPIO17 >"$bank/line17/name"
    echo GPIO27 >"$bank/line27/name"
    echo 1 >/sys/kernel/config/gpio-sim/board/live
}

grep -qs '^Raspberry Pi' /proc/device-tree/model || simulate_pins
modprobe v4l2loopback video_nr=0 card_label=camera exclusive_caps=1
udevadm settle
