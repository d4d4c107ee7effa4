# shellcheck shell=bash
# Owns the steps on the Lambda-shaped cloud: what Slurm cannot show, because a Slurm node is never sold out or taken away.

# shellcheck disable=SC2034 # read by e2e_cloud.sh
SHAPED_STEPS=(all-sold-out failover autodown pre-emption)

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

step_failover() {
  check "sold out here, free there: the launch falls through the candidates and says which one it got"
  only_in gpu_1x_a100_sxm4 us-east-1
  typed 0 "$logs/failover.log" 3600 "${train[@]}" --env TIMESTEPS=10000 --name mesozoic-failover --wait --pull --yes
  contains "$logs/failover.log" "rented: .*A100"
  [ "$(rented)" = 1 ] || fail "$(rented) machines were rented, not one"
  evaluates runs/failover
  pass "$(grep -o 'rented: .*' "$logs/failover.log")"
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

shared_checkpoint() { compgen -G "$SHAPED/nfs/taken/stage1/checkpoints/step-*/manifest.json" >/dev/null; }
replaced() { [ "$(rented)" -gt "$1" ] && [ "$(machines)" = 1 ]; }

step_pre_emption() {
  check "a managed job whose machine is taken away gets another one and goes on from its checkpoint"
  : >"$SHAPED/sold_out"
  local before
  typed 0 "$logs/managed.log" 1800 sky jobs launch -y -d -n taken cloud/train.yaml --infra lambda --env SPECIES=trex \
    --env STAGE=1 --env RUN_NAME=taken --env RESULTS=/lambda/nfs/shared --env TIMESTEPS=400000 \
    --env OVERRIDES=curriculum.save_freq=20000
  wait_until 2400 shared_checkpoint || fail "no checkpoint"
  before="$(rented)"
  say "taking the machine away at checkpoint $(basename "$SHAPED"/nfs/taken/stage1/checkpoints/step-*)"
  take_machine_away
  wait_until 1800 replaced "$before" || fail "no other machine was rented"
  typed 0 "$logs/managed-logs.log" 3600 sky jobs logs --name taken
  typed 0 "$logs/managed-queue.log" 600 sky jobs queue
  contains "$logs/managed-queue.log" "taken .* SUCCEEDED"
  [ -s "$SHAPED/nfs/taken/stage1/metrics.json" ] || fail "no result"
  evaluates "$SHAPED/nfs/taken"
  wait_until 900 no_machine || fail "the machine of a job that ended is still rented"
  pass "at $(resumed_at "$logs/managed-logs.log") steps"
}
