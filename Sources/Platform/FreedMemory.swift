import CLinux

/// Lets the process keep memory that it has freed for what it allocates next, up to 256 MB: matrices come and go by
/// the hundred, and each time the kernel would have to clear their pages anew. For programs, at their start.
public func keepFreedMemory() { sluice_keep_freed_memory(256 << 20) }
