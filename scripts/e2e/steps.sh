# shellcheck shell=bash
# Owns the steps of the end-to-end run on Slurm. Each can be run alone: it brings up the cluster it needs, and never
# a second one: SkyPilot 0.14 kills the daemon of a user's other cluster on the same node.

# shellcheck disable=SC2034 # read by e2e_cloud.sh
SLURM_STEPS=(check sky-launch sky-resume sky-autodown launch resume watch cancel down killed in-one-go sweep sweep-nodes bad-input)

logs="${E2E_WORK:-}/logs"
plain=e2e-plain   # the cluster launched with SkyPilot's own command
ours=mesozoic-e2e # the cluster launched with `mesozoic cloud`
few=10000         # steps of a stage, about three updates: the machinery is under test, not the animal
long=(--env TIMESTEPS=160000 --env OVERRIDES=curriculum.save_freq=20000) # lasts a minute, and can be cut off

is_up() {
  sky status "$1" >"$logs/is-up.log" 2>&1 </dev/null
  grep -q " UP " "$logs/is-up.log"
}

# need CLUSTER STEP: the step that launches CLUSTER, unless it is up.
need() { is_up "$1" || "$2"; }

step_check() {
  check "the credentials preflight finds the Slurm cluster, and nothing else"
  typed 0 "$logs/check.log" 600 mesozoic cloud check slurm
  typed 1 "$logs/check-gcp.log" 600 mesozoic cloud check gcp
  pass "$(grep -i slurm "$logs/check.log" | head -n 1)"
}

step_sky_launch() {
  check "sky launch cloud/train.yaml trains a T. rex through all three stages, unmodified"
  typed 0 "$logs/sky-launch.log" 3000 \
    sky launch -y -c "$plain" cloud/train.yaml --env SPECIES=trex --env "TIMESTEPS=$few"
  contains "$logs/sky-launch.log" "Job finished \(status: SUCCEEDED\)"
  contains "$logs/sky-launch.log" "collected_results.csv"
  typed 0 "$logs/sky-status.log" 300 sky status "$plain"
  contains "$logs/sky-status.log" "$plain .* UP .*5m \(down\)"
  pass
  check "its results come home from a cluster that SkyPilot's command launched, and are evaluated"
  typed 0 "$logs/sky-pull.log" 900 mesozoic cloud pull "$plain" --run trex-stageall-seed0 --output "$E2E_WORK/pulled"
  local stage
  for stage in 1 2 3; do [ -s "$E2E_WORK/pulled/stage$stage/metrics.json" ] || fail "no result of stage $stage came"; done
  evaluates "$E2E_WORK/pulled"
  pass
}

step_sky_resume() {
  need "$plain" step_sky_launch
  local job=(sky exec "$plain" cloud/train.yaml --env SPECIES=trex --env STAGE=1 --env RUN_NAME=killed "${long[@]}")
  check "sky exec: a job whose training is killed on the node fails, and goes on from its checkpoint when run again"
  typed 0 "$logs/sky-exec.log" 600 "${job[@]}" -d
  kill_training killed
  typed 100 "$logs/sky-killed.log" 600 sky logs "$plain"
  typed 0 "$logs/sky-again.log" 1800 "${job[@]}"
  pass "at $(resumed_at "$logs/sky-again.log") steps"
}

step_sky_autodown() {
  need "$plain" step_sky_launch
  check "the node takes the cluster down by itself when it is idle"
  typed 0 "$logs/autostop.log" 600 sky autostop -y "$plain" -i 1 --down
  wait_until 1500 gone || fail "the cluster is still there"
  typed 0 "$logs/sky-status.log" 600 sky status --refresh
  contains "$logs/sky-status.log" "No existing clusters"
  pass
}

step_launch() {
  check "mesozoic cloud launch shows the price first, and a dry run rents nothing"
  local launch=(mesozoic cloud launch --infra slurm --species trex --stage 1 --name "$ours" "${long[@]}")
  typed 0 "$logs/dry-run.log" 600 "${launch[@]}" --dry-run
  contains "$logs/dry-run.log" "\\\$0\.00/h"
  [ -z "$(squeue -h)" ] || fail "something is in the queue"
  pass
  check "nohup mesozoic cloud launch --detach brings up a cluster and submits the training, also when the terminal closes"
  local log="$logs/launch.log" launcher status=0
  nohup "${launch[@]}" --detach --yes >"$log" 2>&1 </dev/null &
  launcher=$!
  wait_while "$launcher" 300 noted asked "$ours" || { show "$log" >&2; fail "nothing was asked for"; }
  kill -HUP "$launcher"
  wait "$launcher" || status=$?
  [ "$status" = 0 ] || { show "$log" >&2; fail "exit code $status"; }
  is_up "$ours" || fail "it is not up"
  pass
  check "its daemon on the node has its own idle limit, not that of the cluster before it"
  [ "$(idle_limit "$ours")" = 5 ] || fail "it is $(idle_limit "$ours") min"
  pass
}

step_resume() {
  need "$ours" step_launch
  check "mesozoic cloud exec goes on from the checkpoint of a training that was killed on the node"
  kill_training e2e
  typed 1 "$logs/killed.log" 600 mesozoic cloud logs "$ours"
  typed 0 "$logs/exec.log" 1800 mesozoic cloud exec "$ours" --wait --pull
  [ -s runs/e2e/stage1/metrics.json ] || fail "no result came home"
  evaluates runs/e2e
  pass "at $(resumed_at "$logs/exec.log") steps"
}

step_watch() {
  need "$ours" step_launch
  # A cluster that has been idle since the last step may end itself between two commands.
  typed 0 "$logs/exec-watched.log" 600 mesozoic cloud exec "$ours" --env RUN_NAME=watched --detach
  check "mesozoic cloud status, queue and logs tell what runs, its price, and when it ends itself"
  typed 0 "$logs/status.log" 300 mesozoic cloud status
  contains "$logs/status.log" "$ours"
  typed 0 "$logs/status.json" 300 mesozoic cloud status --json
  contains "$logs/status.json" '"price": 0'
  contains "$logs/status.json" "\"name\": \"$ours\""
  typed 0 "$logs/queue.log" 300 mesozoic cloud queue "$ours"
  contains "$logs/queue.log" "mesozoic-train"
  typed 0 "$logs/cost.log" 600 mesozoic cloud cost --spent
  pass
}

step_cancel() {
  need "$ours" step_launch
  check "mesozoic cloud cancel ends a job, and its training saves a checkpoint first"
  typed 0 "$logs/exec-cancelled.log" 600 mesozoic cloud exec "$ours" --env RUN_NAME=cancelled --detach
  wait_until 900 has_checkpoint cancelled || fail "no training"
  local before after
  before="$(newest_checkpoint "$(run_folder cancelled)")"
  typed 0 "$logs/cancel.log" 300 mesozoic cloud cancel "$ours" --all --yes
  typed 0 "$logs/queue-cancelled.log" 300 mesozoic cloud queue "$ours"
  contains "$logs/queue-cancelled.log" "CANCELLED"
  after="$(newest_checkpoint "$(run_folder cancelled)")"
  [[ "$after" > "$before" ]] || fail "no checkpoint after $before"
  pass "$after"
}

step_down() {
  need "$ours" step_launch
  check "mesozoic cloud down terminates the cluster and sees that nothing is left"
  typed 0 "$logs/down.log" 1800 mesozoic cloud down "$ours" --yes
  gone || fail "something is left: $(squeue -h)"
  typed 0 "$logs/status-after.log" 300 mesozoic cloud status
  contains "$logs/status-after.log" "nothing of this project is rented"
  pass
}

# noted EVENT CLUSTER: the ledger has a line of that kind about it.
noted() { grep -qs "\"event\": \"$1\", \"cluster\": \"$2\"" "$HOME/.mesozoic/cloud/ledger.jsonl"; }

# killed_launch MOMENT NAME: kill -9 of a launch, once the ledger has a line of that kind about it.
killed_launch() {
  local log="$logs/killed-$1.log" launcher
  mesozoic cloud launch --infra slurm --species trex --stage 1 --name "$2" "${long[@]}" --yes >"$log" 2>&1 </dev/null &
  launcher=$!
  wait_while "$launcher" 300 noted "$1" "$2" || { show "$log" >&2; fail "the ledger has no '$1'"; }
  kill -KILL "$launcher"
  wait "$launcher" || true
  typed 0 "$logs/killed-$1-status.log" 600 mesozoic cloud status
  contains "$logs/killed-$1-status.log" "$2"
  typed 0 "$logs/killed-$1-down.log" 1800 mesozoic cloud down --all --yes
  contains "$logs/killed-$1-down.log" "no cluster, managed job or pool of this project is left"
  gone || fail "something is left: $(squeue -h)"
  typed 0 "$logs/killed-$1-after.log" 300 mesozoic cloud status
  contains "$logs/killed-$1-after.log" "nothing of this project is rented"
}

step_killed() {
  nothing_runs || typed 0 "$logs/killed-before.log" 600 sky down -a -y
  check "kill -9 of a launch before its request is answered: status shows it, down --all leaves nothing"
  killed_launch launch mesozoic-killed-1
  pass
  check "kill -9 of a launch while the machine is set up: status shows it, down --all leaves nothing"
  killed_launch asked mesozoic-killed-2
  pass
}

step_in_one_go() {
  check "mesozoic cloud launch --wait --pull --down: trained, brought home, given back with one command"
  typed 0 "$logs/one-go.log" 3600 mesozoic cloud launch --infra slurm --species trex --stage 1 \
    --env "TIMESTEPS=$few" --env RUN_NAME=one-go --wait --pull --down --yes
  gone || fail "something is left: $(squeue -h)"
  evaluates runs/one-go
  pass
}

# refused LOG COMMAND...: exit code 2 and one sentence.
refused() {
  local log="$1"
  shift
  typed 2 "$log" 600 "$@"
  [ "$(grep -c '^error: ' "$log")" = 1 ] || { show "$log" >&2; fail "not one sentence: $*"; }
  grep -q Traceback "$log" && fail "a traceback: $*"
  say "$(grep '^error: ' "$log")"
}

step_bad_input() {
  check "bad input: one sentence each, nothing rented"
  local launch=(mesozoic cloud launch --infra slurm --species trex --yes)
  refused "$logs/bad-gpu.log" "${launch[@]}" --gpus A1000
  refused "$logs/bad-species.log" mesozoic cloud launch --infra slurm --species trx --yes
  refused "$logs/bad-cloud.log" mesozoic cloud launch --infra gcp --species trex --yes
  refused "$logs/bad-name.log" mesozoic cloud down mesozoic-nothing --yes
  [ -z "$(squeue -h)" ] || fail "something is in the queue: $(squeue -h)"
  pass
}
