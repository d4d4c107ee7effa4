# shellcheck shell=bash
# Owns the steps on the Lambda-shaped cloud: what Slurm cannot show, because a Slurm node is never sold out or taken away.

# shellcheck disable=SC2034 # read by e2e_cloud.sh
SHAPED_STEPS=(all-sold-out refusals failover autodown network-down pre-emption pool pool-stopped pool-killed bucket)

logs="${E2E_WORK:-}/logs"
train=(mesozoic cloud launch --species trex --stage 1 --infra lambda)
rented() { asked_for "POST /instance-operations/launch"; }

# only_in TYPE REGION: everything is sold out except that.
only_in() { tail -n +2 "$SHAPED/catalog.csv" | awk -F, -v t="$1" -v r="$2" '!($1 == t && $7 == r) {print $1, $7}' >"$SHAPED/sold_out"; }

step_all_sold_out() {
  check "all sold out: one sentence, and nothing is rented"
  only_in nothing nowhere
  refused "$logs/sold-out.log" "${train[@]}" --name mesozoic-sold-out --yes
  [ "$(rented)" = 0 ] || fail "something was rented"
  typed 0 "$logs/sold-out-status.log" 300 mesozoic cloud status
  contains "$logs/sold-out-status.log" "nothing of this project is rented"
  pass
}

step_refusals() {
  check "too dear: one sentence each, and nothing is rented"
  : >"$SHAPED/sold_out"
  local before
  before="$(rented)"
  refused "$logs/too-dear.log" "${train[@]}" --max-hourly-cost 0.01 --yes
  refused "$logs/too-dear-in-all.log" "${train[@]}" --max-hours 2 --max-cost 0.01 --yes
  [ "$(rented)" = "$before" ] || fail "something was rented"
  pass
}

step_failover() {
  check "sold out here, free there: the launch falls through the candidates and says which one it got"
  only_in gpu_1x_a100_sxm4 us-east-1
  typed 0 "$logs/failover.log" 3600 "${train[@]}" --env TIMESTEPS=10000 --name mesozoic-failover --wait --pull --yes
  contains "$logs/failover.log" "rented: .*A100"
  [ "$(rented)" = 1 ] || fail "$(rented) machines were rented, not one"
  evaluates runs/failover
  pass "$(grep -o 'rented: .*' "$logs/failover.log")"
  check "a cluster of that name is left alone"
  refused "$logs/taken-name.log" "${train[@]}" --name mesozoic-failover --yes
  [ "$(machines)" = 1 ] || fail "$(machines) machines"
  pass
}

step_autodown() {
  [ "$(machines)" = 1 ] || step_failover
  check "the machine terminates itself through the cloud's API when it is idle"
  # From the launch it is five minutes; one is as good.
  typed 0 "$logs/shaped-autostop.log" 600 sky autostop -y mesozoic-failover -i 1 --down
  wait_until 1500 no_machine || fail "it is still rented"
  typed 0 "$logs/shaped-status.log" 600 mesozoic cloud status --refresh
  contains "$logs/shaped-status.log" "nothing of this project is rented"
  pass
}

step_network_down() {
  check "the network goes while a machine is being set up, and comes back: the machine is found and terminated"
  : >"$SHAPED/sold_out"
  local log="$logs/network-down.log" before launcher status=0
  before="$(rented)"
  "${train[@]}" --env TIMESTEPS=10000 --name mesozoic-cut --yes >"$log" 2>&1 </dev/null &
  launcher=$!
  wait_while "$launcher" 600 more_rented "$before" || { show "$log" >&2; fail "no machine was rented"; }
  # SkyPilot waits without end for an answer that was under way when the network went; a question after that fails.
  for _ in 1 2 3; do
    ip link set cloud down
    say "no network from here on"
    wait_until 150 grep -q "making sure that nothing of it is left" "$log" && break
    ip link set cloud up
    sleep 5
  done
  grep -q "making sure that nothing of it is left" "$log" || { show "$log" >&2; fail "it did not notice"; }
  sleep 20
  [ "$(outside_machines)" = 1 ] || fail "the machine is gone already, so this shows nothing"
  ip link set cloud up
  say "the network is back"
  wait "$launcher" || status=$?
  [ "$status" = 2 ] || { show "$log" >&2; fail "exit code $status instead of 2"; }
  contains "$log" "^error: .*nothing of it is left running"
  no_machine || fail "$(machines) machines are still rented"
  pass
}

shared_checkpoint() { compgen -G "$SHAPED/nfs/taken/stage1/checkpoints/step-*.checkpoint" >/dev/null; }
more_rented() { [ "$(rented)" -gt "$1" ]; }
replaced() { more_rented "$1" && [ "$(machines)" = 1 ]; }

step_pre_emption() {
  check "a managed job whose machine is taken away gets another one and goes on from its checkpoint"
  : >"$SHAPED/sold_out"
  local before
  typed 0 "$logs/managed.log" 1800 "${train[@]}" --managed --file cloud/train.yaml --name mesozoic-taken --yes --detach \
    --env RESULTS=/lambda/nfs/shared --env RUN_NAME=taken --env TIMESTEPS=400000 \
    --env OVERRIDES=curriculum.save_freq=20000
  wait_until 2400 shared_checkpoint || fail "no checkpoint"
  before="$(rented)"
  say "taking the machine away at checkpoint $(newest_checkpoint "$SHAPED/nfs/taken")"
  take_machine_away
  wait_until 1800 replaced "$before" || fail "no other machine was rented"
  typed 0 "$logs/managed-status.log" 600 mesozoic cloud status
  contains "$logs/managed-status.log" "managed job .* mesozoic-taken .* (RECOVERING|STARTING|RUNNING)"
  typed 0 "$logs/managed-logs.log" 3600 mesozoic cloud logs mesozoic-taken
  typed 0 "$logs/managed-queue.log" 600 mesozoic cloud queue mesozoic-taken
  contains "$logs/managed-queue.log" "mesozoic-taken  SUCCEEDED"
  typed 0 "$logs/managed-queue.json" 600 mesozoic cloud queue mesozoic-taken --json
  contains "$logs/managed-queue.json" '"recoveries": 1'
  [ -s "$SHAPED/nfs/taken/stage1/metrics.json" ] || fail "no result"
  evaluates "$SHAPED/nfs/taken"
  wait_until 900 no_machine || fail "the machine of a job that ended is still rented"
  pass "at $(resumed_at "$logs/managed-logs.log") steps"
}

step_pool() {
  local sweep="$E2E_WORK/sweep.yaml"
  check "a sweep on a managed pool of two workers: an agent on each, pool and machines gone afterwards"
  : >"$SHAPED/sold_out"
  # Where the machines reach the user's side: its end of the cable.
  wandb_up "${API_ADDRESS%.*}.254"
  tiny_sweep "$sweep" 4
  typed 0 "$logs/pool.log" 3600 bash cloud/sweep-launch.sh A10 --nodes 2 --pool --infra lambda --sweep "$sweep" \
    --max-hours 1 --yes --wait
  # The workers come up one after the other: the first agent may have done all runs when the second one asks.
  in_wandb 'sweep["state"] == "FINISHED" and len(sweep["agents"]) in (1, 2)'
  in_wandb 'len(runs) == 4 and all(run["state"] == "finished" for run in runs)'
  no_machine || fail "$(machines) machines are still rented"
  pass
  kill "$WANDB_SERVER"
}

step_pool_stopped() {
  local sweep="$E2E_WORK/sweep.yaml" log="$logs/pool-stopped.log" launcher status=0
  check "Ctrl-C while SkyPilot is slow to launch a pool's workers: it has forgotten them, and they end all the same"
  : >"$SHAPED/sold_out"
  wandb_up "${API_ADDRESS%.*}.254"
  tiny_sweep "$sweep" 4
  env --default-signal=INT mesozoic cloud sweep A10 --nodes 2 --pool --infra lambda --sweep "$sweep" --max-hours 1 --yes \
    --name mesozoic-sweep-stopped >"$log" 2>&1 </dev/null &
  launcher=$!
  wait_while "$launcher" 1800 grep -qs "launch requested" "$HOME"/.sky/serve/mesozoic_sweep_stopped/replica_2_launch.log ||
    { show "$log" >&2; fail "no worker was asked for"; }
  pkill -STOP -f SkyPilot:executor:long
  kill -INT "$launcher"
  sleep 45
  pkill -CONT -f SkyPilot:executor:long
  wait "$launcher" || status=$?
  [ "$status" = 130 ] || { show "$log" >&2; fail "exit code $status instead of 130"; }
  contains "$log" "interrupted.*nothing of it is left running; the sweep is cancelled"
  sleep 60 # for a launch that goes on
  no_machine || fail "$(machines) machines are rented after the pool was taken down"
  pass
  kill "$WANDB_SERVER"
}

step_pool_killed() {
  local sweep="$E2E_WORK/sweep.yaml" log="$logs/pool-killed.log" launcher
  check "kill -9 of a sweep on a pool: status shows the pool and its agents, down --all leaves nothing"
  : >"$SHAPED/sold_out"
  wandb_up "${API_ADDRESS%.*}.254"
  tiny_sweep "$sweep" 4
  mesozoic cloud sweep A10 --nodes 2 --pool --infra lambda --sweep "$sweep" --max-hours 1 --yes \
    --name mesozoic-sweep-killed >"$log" 2>&1 </dev/null &
  launcher=$!
  wait_while "$launcher" 1800 noted up mesozoic-sweep-killed-agent || { show "$log" >&2; fail "no agents were submitted"; }
  kill -KILL "$launcher"
  wait "$launcher" || true
  typed 0 "$logs/pool-killed-status.log" 600 mesozoic cloud status
  contains "$logs/pool-killed-status.log" "pool  mesozoic-sweep-killed"
  contains "$logs/pool-killed-status.log" "managed job .* mesozoic-sweep-killed-agent"
  typed 0 "$logs/pool-killed-down.log" 2400 mesozoic cloud down --all --yes
  contains "$logs/pool-killed-down.log" "no cluster, managed job or pool of this project is left"
  wait_until 300 no_machine || fail "$(machines) machines are still rented"
  pass
  kill "$WANDB_SERVER"
}

in_bucket() { sleep 3; aws s3 ls --recursive "s3://$bucket/" >"$logs/bucket.log" 2>&1 && grep -qE "$1" "$logs/bucket.log"; }

step_bucket() {
  check "cloud/train-managed.yaml: checkpoints reach a bucket, another machine goes on from them, results come home"
  : >"$SHAPED/sold_out"
  local bucket="mesozoic-e2e-$RANDOM" file=cloud/train-managed-lambda.yaml before
  typed 0 "$logs/check-aws.log" 600 sky check aws
  # Lambda has no spot machines; everything else is as it ships.
  sed -e 's/use_spot: true/use_spot: false/' -e 's/infra: gcp/infra: lambda/' -e 's/accelerators: {L4: 1}/accelerators: {A10: 1}/' \
    cloud/train-managed.yaml >"$file"
  typed 0 "$logs/bucket-launch.log" 1800 "${train[@]}" --managed --file "$file" --name mesozoic-bucket --yes --detach \
    --env BUCKET="$bucket" --env RUN_NAME=kept --env TIMESTEPS=400000 --env OVERRIDES=curriculum.save_freq=20000
  wait_until 2400 in_bucket "kept/stage1/checkpoints/step-[0-9]+\.checkpoint" || { show "$logs/bucket.log" >&2; fail "no checkpoint in the bucket"; }
  before="$(rented)"
  take_machine_away
  wait_until 1800 replaced "$before" || fail "no other machine was rented"
  typed 0 "$logs/bucket-logs.log" 3600 mesozoic cloud logs mesozoic-bucket
  wait_until 120 in_bucket "kept/stage1/metrics.json" || fail "no result in the bucket"
  typed 0 "$logs/bucket-pull.log" 600 mesozoic cloud pull mesozoic-bucket
  evaluates runs/kept
  wait_until 900 no_machine || fail "the machine of a job that ended is still rented"
  pass "at $(resumed_at "$logs/bucket-logs.log") steps"
}
