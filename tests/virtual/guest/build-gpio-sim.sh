#!/bin/bash
# build-gpio-sim.sh KERNEL VERSION, in the guest's file system: gpio-sim.ko out of the tree, with the interrupt
# simulator, which is not enabled either, compiled into it.
set -euo pipefail
kernel=$1 source=/usr/src/linux-source-$2 build=/usr/src/gpio-sim
cd /usr/src
tar -xf "$source.tar.xz" "linux-source-$2/drivers/gpio" "linux-source-$2/kernel/irq"
mkdir -p "$build"
cp "$source"/drivers/gpio/*.h "$source"/kernel/irq/irq_sim.c "$build"
cp "$source"/drivers/gpio/gpio-sim.c "$build/gpio-sim-main.c"
# The module exports nothing, and irq_to_desc is not open to modules.
sed -i '/EXPORT_SYMBOL_GPL(.*irq_domain_create_sim.*);/d' "$build/irq_sim.c"
sed -i 's/handle_simple_irq(irq_to_desc(\(.*\)));/generic_handle_irq(\1);/' "$build/irq_sim.c"
printf 'obj-m := gpio-sim.o\ngpio-sim-y := gpio-sim-main.o irq_sim.o\n' >"$build/Makefile"
make -C "/lib/modules/$kernel/build" M="$build" modules
install -D -t "/lib/modules/$kernel/extra" "$build/gpio-sim.ko"
depmod "$kernel"
rm -rf "$source" "$build"
