#!/bin/sh
# The first and only process of a user-mode Linux with CAN: bring it up, run the tests, write the result, power off.
# From the command line of the kernel: REPO, PYTHON, RESULTS (a folder of the host, the only one that can be written).
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /run
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
modules=/usr/lib/uml/modules/$(uname -r)/kernel
for module in drivers/net/can/dev/can-dev net/can/can net/can/can-raw net/can/can-bcm drivers/net/can/vcan \
    drivers/net/can/slcan/slcan; do # can-dev first: vcan needs it
    insmod "$modules/$module.ko" || exit 1
done
ip link set lo up
for bus in vcan0 vcan1; do
    ip link add dev $bus type vcan
    ip link set $bus mtu 72
    ip link set $bus up
done
mount -t hostfs -o "$RESULTS" none /mnt

# hostfs cuts times of files to seconds, and compiled kernels fit only sources of the very nanosecond: unpack them
mount -t tmpfs sources "$REPO/firmware_sim"
mount -t tmpfs sources "$REPO/hil"
tar -C "$REPO" -xf /mnt/sources.tar
tar -C /run -xf /mnt/cache.tar

export TMPDIR=/run HOME=/run NABENCH_CACHE_DIR=/run/cache NABENCH_VCAN=vcan0,vcan1
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$REPO" COLUMNS=160
cd "$REPO" || exit 1
set --
while IFS= read -r argument; do set -- "$@" "$argument"; done </mnt/arguments
"$PYTHON" -m pytest -n0 -p no:cacheprovider --confcutdir=tests/socketcan --durations=8 --junitxml=/mnt/junit.xml tests/socketcan "$@" \
    >/mnt/pytest.txt 2>&1
echo $? >/mnt/rc
sync
poweroff -f
