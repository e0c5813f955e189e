#!/usr/bin/env bash
# Create or update the metrics, alerts and dashboards of this folder: ops/apply.sh PROJECT_ID [NOTIFICATION_CHANNEL]
set -euo pipefail
project=${1:?"usage: ops/apply.sh PROJECT_ID [NOTIFICATION_CHANNEL]"}
channel=${2:-}
cd "$(dirname "$0")"

for file in metrics/*.yaml; do
	name=$(basename "$file" .yaml)
	verb=create
	if gcloud logging metrics describe "$name" --project "$project" >/dev/null 2>&1; then verb=update; fi
	gcloud logging metrics "$verb" "$name" --project "$project" --config-from-file "$file"
done

# An alert can only be made once its metric is known to Cloud Monitoring, which takes up to ten minutes the first time.
for file in alerts/*.yaml; do
	title=$(sed -n 's/^displayName: "\(.*\)"$/\1/p' "$file")
	found=$(gcloud monitoring policies list --project "$project" --filter "displayName=\"$title\"" --format 'value(name)' | head -n 1)
	if [[ -n $found ]]; then
		gcloud monitoring policies update "$found" --project "$project" --policy-from-file "$file"
	else
		gcloud monitoring policies create --project "$project" --policy-from-file "$file" \
			${channel:+--notification-channels "$channel"}
	fi
done

for file in dashboards/*.json; do
	title=$(sed -n 's/^  "displayName": "\(.*\)",$/\1/p' "$file")
	found=$(gcloud monitoring dashboards list --project "$project" --filter "displayName=\"$title\"" --format 'value(name)' | head -n 1)
	if [[ -n $found ]]; then
		# An update has to name the version that it replaces.
		etag=$(gcloud monitoring dashboards describe "$found" --project "$project" --format 'value(etag)')
		sed "1s/{/{ \"etag\": \"$etag\",/" "$file" |
			gcloud monitoring dashboards update "$found" --project "$project" --config-from-file /dev/stdin
	else
		gcloud monitoring dashboards create --project "$project" --config-from-file "$file"
	fi
done
