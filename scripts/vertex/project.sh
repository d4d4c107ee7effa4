# shellcheck shell=bash disable=SC2034,SC2154
# Owns what `mesozoic vertex` needs of a Google Cloud project: each look_* finds out what is there, the make_* of the same
# name creates what is missing. Source it after gcloud.sh; it defines functions only.
#
# All looks come first, so that nothing is created where something is in the way. They put what is missing in $todo.

todo=()
member() { case "$1" in *.gserviceaccount.com) echo "serviceAccount:$1" ;; *) echo "user:$1" ;; esac; }
needs() { todo+=("$*"); }
is_new() { printf '%s\n' ${todo[@]+"${todo[@]}"} | grep -xF -- "$1" >/dev/null; }
# listed WORD: a line of the last answer is that word.
listed() { printf '%s\n' "$answer" | grep -xF -- "$1" >/dev/null; }

look_account() {
  if [ -n "$dry" ]; then
    account="${account:-you@example.com}"
    return
  fi
  command -v gcloud >/dev/null || refuse "gcloud is not installed; see https://cloud.google.com/sdk/docs/install, or use the Cloud Shell"
  command -v timeout >/dev/null || refuse "timeout is not installed; on macOS type: brew install coreutils"
  look "the accounts" gcloud auth list --filter=status:ACTIVE '--format=value(account)' || true
  account="${answer%%$'\n'*}"
  [ -n "$account" ] || refuse "gcloud is not signed in; type: gcloud auth login && gcloud auth application-default login"
  # Python's client signs in by itself; the token is thrown away.
  if [ -n "$smoke" ]; then
    tried 120 "$transient" gcloud auth application-default print-access-token
    answer=""
    [ "$status" = 0 ] || refuse "Python's client is not signed in; type: gcloud auth application-default login"
  fi
}

look_project() {
  number=PROJECT_NUMBER
  if look "project $project" gcloud projects describe "$project" '--format=value(projectNumber)'; then number="$answer"
  elif [ -z "$dry" ]; then refuse "there is no project $project; type: gcloud projects list"; fi
  # Not everybody may know who pays.
  if may_look gcloud billing projects describe "$project" '--format=value(billingEnabled)' && [ "$answer" = False ]; then
    refuse "project $project has no billing; switch it on at https://console.cloud.google.com/billing/linkedaccount?project=$project"
  fi
}

look_apis() {
  local api
  wanted_apis=(aiplatform artifactregistry storage iam logging cloudresourcemanager)
  [ "$build" != cloud ] || wanted_apis+=(cloudbuild)
  [ -z "$secret" ] || wanted_apis+=(secretmanager)
  missing_apis=()
  look "the APIs of $project" gcloud services list --enabled "--project=$project" '--format=value(config.name)' || true
  enabled_apis="$answer"
  for api in "${wanted_apis[@]}"; do listed "$api.googleapis.com" || missing_apis+=("$api.googleapis.com"); done
  [ ${#missing_apis[@]} = 0 ] || needs "APIs ${missing_apis[*]}"
}
api_is_on() { [ -n "$dry" ] || printf '%s\n' "$enabled_apis" | grep -xF -- "$1.googleapis.com" >/dev/null; }
make_apis() {
  [ ${#missing_apis[@]} = 0 ] || make 600 "switch on APIs" gcloud services enable "${missing_apis[@]}" "--project=$project"
}

look_repository() {
  if api_is_on artifactregistry && look "repository $repository" gcloud artifacts repositories describe "$repository" \
    "--location=$region" "--project=$project" '--format=value(format)'; then
    [ "$answer" = DOCKER ] || refuse "repository $repository holds $answer, not Docker images; choose another --repository"
  else needs "repository $repository in $region"; fi
}
make_repository() {
  ! is_new "repository $repository in $region" || make 300 "create repository $repository" gcloud artifacts repositories \
    create "$repository" --repository-format=docker "--location=$region" "--project=$project" \
    "--description=Training images of mesozoic"
}

look_bucket() {
  local place
  place="$(printf '%s' "$region" | tr '[:lower:]' '[:upper:]')"
  if look "bucket gs://$bucket (if somebody else has that name, choose another --bucket)" \
    gcloud storage buckets describe "gs://$bucket" '--format=value(location)'; then
    [ "$answer" = "$place" ] || refuse "bucket gs://$bucket lies in $answer, and jobs in $region need theirs there; choose another --bucket or --region"
  else needs "bucket gs://$bucket in $region"; fi
}
make_bucket() {
  ! is_new "bucket gs://$bucket in $region" || make 300 "create bucket gs://$bucket" gcloud storage buckets create \
    "gs://$bucket" "--project=$project" "--location=$region" --uniform-bucket-level-access --public-access-prevention
}

look_image() {
  if [ -z "$rebuild" ] && { [ -n "$dry" ] || ! is_new "repository $repository in $region"; } && look "image $image" \
    gcloud artifacts docker images describe "$image" "--project=$project" '--format=value(image_summary.digest)'; then
    return
  fi
  needs "image $image, built with $build"
}
make_image() {
  is_new "image $image, built with $build" || return 0
  if [ "$build" = cloud ]; then
    watched 4000 "build the image" gcloud builds submit "--project=$project" --config=scripts/image/cloudbuild.yaml \
      "--substitutions=_TARGET=$target,_IMAGE=$image" .
    return
  fi
  make 120 "let docker sign in" gcloud auth configure-docker "$region-docker.pkg.dev" --quiet
  watched 4000 "build the image" docker build --platform=linux/amd64 "--target=$target" --build-arg=RUN_AS=0:0 "--tag=$image" .
  watched 4000 "push the image" docker push "$image"
}

look_account_of_jobs() {
  jobs="$service_account@$project.iam.gserviceaccount.com"
  if api_is_on iam && look "service account $jobs" gcloud iam service-accounts describe "$jobs" "--project=$project" \
    '--format=value(disabled)'; then
    [ "$answer" != True ] || refuse "service account $jobs is disabled; type: gcloud iam service-accounts enable $jobs --project=$project"
  else needs "service account $jobs"; fi
}
make_account_of_jobs() {
  ! is_new "service account $jobs" || make 120 "create service account $jobs" gcloud iam service-accounts create \
    "$service_account" "--project=$project" "--display-name=Trainings and sweeps of mesozoic"
}

look_secret() {
  [ -n "$secret" ] || return 0
  if api_is_on secretmanager && look "secret $secret" gcloud secrets describe "$secret" "--project=$project" '--format=value(name)'; then
    if look "the versions of secret $secret" gcloud secrets versions list "$secret" "--project=$project" \
      --filter=state:ENABLED --limit=1 '--format=value(name)' && [ -n "$answer" ]; then return; fi
    needs "a value for secret $secret"
  else needs "secret $secret"; fi
  [ -n "$key" ] || [ -n "$dry" ] || refuse "secret $secret has no value yet; export WANDB_API_KEY, or leave --wandb-secret out"
}
# The key goes through a pipe: it is in no list of processes, no history and no file.
make_secret() {
  # shellcheck disable=SC2016 # shown as it can be typed, not filled in
  local input="$key" before='printf %s "$WANDB_API_KEY" | '
  [ -n "$secret" ] || return 0
  if is_new "secret $secret"; then
    make 120 "create secret $secret" gcloud secrets create "$secret" "--project=$project" --replication-policy=automatic --data-file=-
  elif is_new "a value for secret $secret"; then
    make 120 "give secret $secret a value" gcloud secrets versions add "$secret" "--project=$project" --data-file=-
  fi
}

# Rights: what jobs and an orchestrator do as that account, and who may start jobs as it. One line each: who gets which
# role on what. An orchestrator submits jobs, looks whether the image and the quota are there, and acts as itself.
rights() {
  local role
  for role in aiplatform.user logging.logWriter serviceusage.serviceUsageViewer artifactregistry.reader; do
    echo "project $(member "$jobs") roles/$role"
  done
  for role in storage.objectAdmin storage.legacyBucketReader; do echo "bucket $(member "$jobs") roles/$role"; done
  [ -z "$secret" ] || echo "secret $(member "$jobs") roles/secretmanager.secretAccessor"
  echo "jobs $(member "$jobs") roles/iam.serviceAccountUser"
  echo "jobs $(member "$account") roles/iam.serviceAccountUser"
}
# policy THING VERB: the gcloud command about who may do what with it.
policy() {
  case "$1" in
    project) words=(gcloud projects "$2" "$project") ;;
    bucket) words=(gcloud storage buckets "$2" "gs://$bucket") ;;
    secret) words=(gcloud secrets "$2" "$secret" "--project=$project") ;;
    jobs) words=(gcloud iam service-accounts "$2" "$jobs" "--project=$project") ;;
  esac
}
look_rights() {
  local thing who role new before=""
  granted=""
  while read -r thing who role; do
    case "$thing" in
      bucket) new="bucket gs://$bucket in $region" ;;
      secret) new="secret $secret" ;;
      *) new="service account $jobs" ;;
    esac
    if [ -z "$dry" ] && { is_new "service account $jobs" || is_new "$new"; }; then continue; fi
    if [ "$before" != "$thing" ]; then
      policy "$thing" get-iam-policy
      look "who may use the $thing" "${words[@]}" '--flatten=bindings[].members[]' \
        '--format=csv[no-heading](bindings.members,bindings.role)' || answer=""
      before="$thing"
    fi
    ! listed "$who,$role" || granted="$granted$thing $who $role"$'\n'
  done <<<"$(rights)"
  [ "$(printf '%s' "$granted" | grep -c .)" = "$(rights | grep -c .)" ] || needs "rights of $jobs"
}
make_rights() {
  local thing who role
  while read -r thing who role; do
    ! printf '%s' "$granted" | grep -xF -- "$thing $who $role" >/dev/null || continue
    policy "$thing" add-iam-policy-binding
    # A condition on another binding of the project would make gcloud ask; buckets have no such option.
    if [ "$thing" = bucket ]; then make 120 "give $who $role" "${words[@]}" "--member=$who" "--role=$role"
    else make 120 "give $who $role" "${words[@]}" "--member=$who" "--role=$role" --condition=None --format=none; fi
  done <<<"$(rights)"
}
