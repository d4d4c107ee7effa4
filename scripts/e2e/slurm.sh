# shellcheck shell=bash
# Owns a real Slurm cluster of two nodes, which are both this machine, on loopback: munge, slurmctld, slurmd, sshd and the user who trains there.
#
# Call slurm_up inside run_in_namespace (namespace.sh), with report.sh sourced. It leaves SkyPilot's side alone:
# laptop.sh writes ~/.slurm/config from NODE_USER, NODE_PORT and NODE_KEY.

NODE_HOST=mesozoic-e2e
NODE_USER=dinosaur
# What the node claims to own. Slurm believes its configuration, so a two-core machine can lend four "GPUs"; there
# is no device behind them, nvidia-smi is absent, and the node installs the CPU version.
NODE_CPUS=32
NODE_GPUS=A100:4

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# add_user: a throw-away account in private copies of the account files; password "*", since sshd takes "!" as locked.
add_user() {
  local file
  NODE_HOME="$E2E_WORK/node-home"
  NODE_UID=20000
  while getent passwd "$NODE_UID" >/dev/null || getent group "$NODE_UID" >/dev/null; do NODE_UID=$((NODE_UID + 1)); done
  for file in /etc/passwd /etc/group /etc/shadow /etc/hosts; do private_file "$file"; done
  echo "$NODE_USER:x:$NODE_UID:$NODE_UID::$NODE_HOME:/bin/bash" >>/etc/passwd
  echo "$NODE_USER:x:$NODE_UID:" >>/etc/group
  echo "$NODE_USER:*:19000:0:99999:7:::" >>/etc/shadow
  hostname "$NODE_HOST"
  printf '127.0.0.1 %s\n127.0.0.2 %s-2\n' "$NODE_HOST" "$NODE_HOST" >>/etc/hosts
  mkdir -p "$NODE_HOME/.ssh" "$NODE_HOME/bin"
  NODE_KEY="$E2E_WORK/node-key"
  ssh-keygen -q -t ed25519 -N "" -C e2e -f "$NODE_KEY"
  cp "$NODE_KEY.pub" "$NODE_HOME/.ssh/authorized_keys"
}

# furnish_node: what an administrator puts on a node that reaches only package registries.
furnish_node() {
  # The login shell's environment is the job's: SkyPilot passes nothing else on.
  {
    cat "$E2E_WORK/registries.sh"
    echo "export PATH=$NODE_HOME/bin:/usr/local/bin:/usr/bin:/bin"
  } >"$NODE_HOME/.profile"
  furnish_uv "$NODE_HOME/bin"
  # Every SkyPilot cluster has a home folder of its own on the node and looks for uv there, else it fetches an
  # installer from outside: this runs before each task of a Slurm job and links it.
  cat >"$E2E_WORK/slurm/task-prolog" <<PROLOG
#!/bin/bash
for home in "$NODE_HOME"/.sky_clusters/*/; do
  [ -d "\$home" ] || continue
  mkdir -p "\$home/.local/bin"
  ln -sfn "$NODE_HOME/bin/uv" "\$home/.local/bin/uv"
done
PROLOG
  chmod 755 "$E2E_WORK/slurm/task-prolog"
  chown -R "$NODE_UID:$NODE_UID" "$NODE_HOME"
  chmod 700 "$NODE_HOME" "$NODE_HOME/.ssh"
  chmod 600 "$NODE_HOME/.profile"
}

write_slurm_conf() {
  cat >"$E2E_WORK/slurm/slurm.conf" <<CONF
ClusterName=e2e
SlurmctldHost=$NODE_HOST(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$E2E_WORK/munge/socket
CredType=cred/munge
StateSaveLocation=$E2E_WORK/slurm/state
SlurmdSpoolDir=$E2E_WORK/slurm/spool-%n
SlurmctldPidFile=$E2E_WORK/slurm/slurmctld.pid
SlurmdPidFile=$E2E_WORK/slurm/slurmd-%n.pid
SlurmctldLogFile=$E2E_WORK/slurm/slurmctld.log
SlurmdLogFile=$E2E_WORK/slurm/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
TaskProlog=$E2E_WORK/slurm/task-prolog
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
KillWait=10
GresTypes=gpu
NodeName=DEFAULT CPUs=$NODE_CPUS RealMemory=200000 Gres=gpu:$NODE_GPUS State=UNKNOWN
NodeName=$NODE_HOST NodeHostname=$NODE_HOST NodeAddr=127.0.0.1
NodeName=$NODE_HOST-2 NodeHostname=$NODE_HOST NodeAddr=127.0.0.2 Port=$(free_port)
PartitionName=main Default=YES MaxTime=1-00:00:00 Nodes=ALL State=UP
CONF
  # Slurm wants a file for each; an empty one will do.
  mkdir -p "$E2E_WORK/slurm/gpus"
  (cd "$E2E_WORK/slurm/gpus" && seq -f 'gpu%.0f' 0 "$((${NODE_GPUS#*:} - 1))" | xargs touch)
  echo "NodeName=$NODE_HOST,$NODE_HOST-2 Name=gpu Type=${NODE_GPUS%:*} File=$E2E_WORK/slurm/gpus/gpu[0-$((${NODE_GPUS#*:} - 1))]" \
    >"$E2E_WORK/slurm/gres.conf"
}

# start_daemon LOG COMMAND...: a daemon in the foreground of its own session, away from this terminal.
start_daemon() {
  local log="$1"
  shift
  setsid "$@" >"$log" 2>&1 </dev/null &
}

start_sshd() {
  NODE_PORT="$(free_port)"
  mkdir -p "$E2E_WORK/sshd" /run/sshd # sshd insists on the second, which is empty
  ssh-keygen -q -t ed25519 -N "" -f "$E2E_WORK/sshd/host_key"
  cat >"$E2E_WORK/sshd/config" <<CONF
Port $NODE_PORT
ListenAddress 127.0.0.1
HostKey $E2E_WORK/sshd/host_key
PidFile $E2E_WORK/sshd/pid
AllowUsers $NODE_USER
PasswordAuthentication no
StrictModes no
UsePAM no
MaxStartups 100
MaxSessions 100
Subsystem sftp internal-sftp
CONF
  start_daemon "$E2E_WORK/sshd/log" "$(command -v sshd)" -D -e -f "$E2E_WORK/sshd/config"
}

node() {
  ssh -p "$NODE_PORT" -i "$NODE_KEY" -o BatchMode=yes -o ConnectTimeout=10 -o StrictHostKeyChecking=no \
    -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "$NODE_USER@127.0.0.1" "$@"
}

node_idle() { [ "$(sinfo -h -o %T 2>/dev/null)" = idle ]; }

# slurm_up: everything above; afterwards `node COMMAND` runs a command as the user on the login node.
slurm_up() {
  check "a real Slurm comes up on loopback"
  mkdir -p "$E2E_WORK/slurm/state" "$E2E_WORK/munge"
  chmod 755 "$E2E_WORK/slurm" "$E2E_WORK/munge"
  add_user
  furnish_node
  write_slurm_conf
  mount --bind "$E2E_WORK/slurm" /etc/slurm
  (umask 077 && head -c 1024 /dev/urandom >"$E2E_WORK/munge/key")
  start_daemon "$E2E_WORK/munge/out" munged --foreground --force --num-threads=4 --key-file="$E2E_WORK/munge/key" \
    --socket="$E2E_WORK/munge/socket" --pid-file="$E2E_WORK/munge/pid" --log-file="$E2E_WORK/munge/log" \
    --seed-file="$E2E_WORK/munge/seed"
  wait_until 30 test -S "$E2E_WORK/munge/socket" || { show "$E2E_WORK/munge/out" >&2; fail "munged did not start"; }
  start_daemon "$E2E_WORK/slurm/slurmctld.out" slurmctld -D
  start_daemon "$E2E_WORK/slurm/slurmd.out" slurmd -D -N "$NODE_HOST"
  start_daemon "$E2E_WORK/slurm/slurmd-2.out" slurmd -D -N "$NODE_HOST-2"
  start_sshd
  wait_until 90 node_idle || { show "$E2E_WORK/slurm/slurmctld.out" >&2; show "$E2E_WORK/slurm/slurmd.out" >&2; fail "the nodes are not idle"; }
  wait_until 30 node true || { show "$E2E_WORK/sshd/log" >&2; fail "no login through sshd"; }
  local answer
  answer="$(node "bash --login -c 'srun --gres=gpu:${NODE_GPUS%:*}:1 bash -c \"id -un; hostname\"'" | xargs)"
  [ "$answer" = "$NODE_USER $NODE_HOST" ] || fail "srun answered '$answer'"
  pass "a job ran as $answer, $(slurmd -V), two nodes with $NODE_CPUS CPUs and $NODE_GPUS claimed each"
}

# nothing_runs: no Slurm job is left in the queue.
nothing_runs() { [ -z "$(squeue -h 2>/dev/null)" ]; }
