#!/usr/bin/env bash
# Boots one machine of the Lambda-shaped cloud: a fresh overlay of this system in namespaces of its own, with sshd and
# a user `ubuntu` who may sudo. api.py runs it; killing it takes the machine away. Never the real root: SkyPilot's
# set-up of a machine kills apt and rewrites sshd's configuration.
#
#   bash machine.sh FOLDER ADDRESS     FOLDER: authorized_keys; ../../image is what every machine starts with
set -euo pipefail

if [ "${3:-}" != --inside ]; then
  exec unshare --mount --uts --ipc --pid --fork --kill-child --propagation private bash "$0" "$1" "$2" --inside
fi

folder="$1"
address="$2"
image="$(realpath "$folder/../../image")"
root="$folder/root"

# The upper layer is in memory: one below the lower layer, as any folder here would be, is refused by the kernel.
mkdir -p "$folder/disk" "$root"
mount -t tmpfs -o size=10G,mode=755 machine "$folder/disk"
mkdir "$folder/disk/upper" "$folder/disk/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/disk/upper,workdir=$folder/disk/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mknod -m 666 "$root/dev/fuse" c 10 229 # with a mode of its own: the user of a machine mounts buckets
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for hidden in dev/shm tmp var/tmp run home; do mount -t tmpfs -o mode=1777 tmpfs "$root/$hidden"; done
chmod 755 "$root/run" "$root/home"

# What the cloud's image brings: account files, hosts, certificates, the way to the registries (cloud.sh makes them).
cp -r "$image/etc/." "$root/etc/"
hostname "machine-${address##*.}"
echo "127.0.0.1 machine-${address##*.}" >>"$root/etc/hosts"
mkdir -p "$root/run/sshd" "$root/home/ubuntu/.ssh" "$root/home/ubuntu/.local/bin" "$root/home/ubuntu/.cache/uv"
cp "$image/bin/"* "$root/home/ubuntu/.local/bin/"
cp "$folder/authorized_keys" "$root/home/ubuntu/.ssh/"
chown -R 1000:1000 "$root/home/ubuntu"
chmod 700 "$root/home/ubuntu/.ssh"
# Downloads that an earlier machine made, and the cloud's file system that outlives machines (Lambda's are there too).
mount --bind "$image/../uv-cache" "$root/home/ubuntu/.cache/uv"
mkdir -p "$root/lambda/nfs/shared"
mount --bind "$image/../nfs" "$root/lambda/nfs/shared"

ssh-keygen -q -t ed25519 -N "" -f "$root/etc/ssh/e2e_host_key"
# Not exec: this shell, the first process here, reaps what daemons leave.
chroot "$root" "$(command -v sshd)" -D -e -f /dev/null -o "ListenAddress=$address" -o HostKey=/etc/ssh/e2e_host_key \
  -o UsePAM=no -o PasswordAuthentication=no -o MaxSessions=100 -o MaxStartups=100 -o "Subsystem=sftp internal-sftp" &
wait
