"""What is compared with what, and what follows: arms, controls, the comparison, the gate, and the run that keeps it all."""
