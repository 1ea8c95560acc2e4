"""What lets OpenStack run without agents, a message broker or a hypervisor."""
