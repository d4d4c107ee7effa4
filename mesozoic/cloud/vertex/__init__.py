"""Google's Vertex AI: jobs in a container, submitted and followed through the google-cloud-aiplatform client."""
