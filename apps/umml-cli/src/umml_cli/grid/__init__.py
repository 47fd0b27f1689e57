"""Many runs: experiments, and where their runs are performed."""
