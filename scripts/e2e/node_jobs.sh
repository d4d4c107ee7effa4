# shellcheck shell=bash
# Owns what a step does to a training on the node behind SkyPilot's back: look at its files, kill it, see that it is gone.

# run_folder RUN: the run folder RUN on the node. SkyPilot gives each cluster a home of its own below the user's.
run_folder() { printf '%s\n' "$NODE_HOME"/.sky_clusters/*/mesozoic-runs/"$1"; }

# has_checkpoint RUN: the training has written a checkpoint.
has_checkpoint() { compgen -G "$(run_folder "$1")/stage1/checkpoints/step-*.checkpoint" >/dev/null; }

# newest_checkpoint FOLDER: its name; the last two are kept.
newest_checkpoint() { basename "$(compgen -G "$1/stage1/checkpoints/step-*.checkpoint" | sort | tail -n 1)"; }

# has_result RUN: the training has ended by itself.
has_result() { [ -s "$(run_folder "$1")/stage1/metrics.json" ]; }

# kill_training RUN: kill -9 of the training process, as soon as it has a checkpoint to go on from.
kill_training() {
  local pids
  wait_until 900 has_checkpoint "$1" || fail "no checkpoint of $1 after 900 s"
  has_result "$1" && fail "$1 ended before it could be killed; give it more steps"
  pids="$(pgrep -u "$NODE_UID" -f -- "-m mesozoic.job.training .*/$1 " || true)"
  [ -n "$pids" ] || fail "no process trains $1"
  # shellcheck disable=SC2086 # one word a process
  kill -KILL $pids
  say "killed process ${pids//$'\n'/, } on the node at checkpoint $(newest_checkpoint "$(run_folder "$1")")"
}

# resumed_at LOG: the step at which the training in a job's output went on; fails unless it is above 0.
resumed_at() {
  local step
  step="$(sed -n 's/.*going on from the checkpoint at \([0-9,]*\) steps.*/\1/p' "$1" | tail -n 1)"
  [ -n "${step//[0,]/}" ] || { show "$1" >&2; fail "it did not go on from its checkpoint"; }
  printf '%s\n' "$step"
}

# evaluates FOLDER: `mesozoic eval` accepts what was pulled.
evaluates() {
  typed 0 "$E2E_WORK/logs/eval.log" 600 mesozoic eval "$1" --episodes 64
  contains "$E2E_WORK/logs/eval.log" "statue"
}

# gone: Slurm has no job left, the node no training and no home folder of a cluster.
gone() {
  [ -z "$(squeue -h)" ] && ! pgrep -u "$NODE_UID" -f -- "-m mesozoic" >/dev/null &&
    ! compgen -G "$NODE_HOME/.sky_clusters/*" >/dev/null
}

# idle_limit CLUSTER: minutes after which the cluster's daemon ends it, by the setting that it keeps on the node.
idle_limit() {
  local folder
  folder="$(compgen -G "/tmp/$1-*" | head -n 1)" # SkyPilot keeps the state of each cluster in one of its own
  node "SKY_RUNTIME_DIR=$folder $folder/skypilot-runtime/bin/python -c 'from sky.skylet import autostop_lib
print(autostop_lib.get_autostop_config().autostop_idle_minutes)'" | tail -n 1
}
