"""What a job does on any rented machine: environment variables -> training, deadline, exit code. Knows no renter."""
