// SHA-256 (FIPS 180-4), with the processor's SHA instructions where it has them.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Folds `count` blocks of 64 bytes into the eight-word state.
void sluice_sha256_blocks(uint32_t state[8], const uint8_t *bytes, size_t count);

/// The same in plain C on any processor; what the fast path is tested against.
void sluice_sha256_blocks_portable(uint32_t state[8], const uint8_t *bytes, size_t count);

/// CRC-32 (ISO 3309, as in gzip and zip) of `count` further bytes after those that gave `sum`; 0 at first.
/// Little-endian machines only.
uint32_t sluice_crc32(uint32_t sum, const uint8_t *bytes, size_t count);

/// Folds `count` blocks of 64 bytes into four words that begin as any numbers: a fingerprint, many times
/// faster than SHA-256 and equal by accident for one in 10^19 pairs, but not for one who wants it equal.
/// Little-endian machines only.
void sluice_fingerprint_blocks(uint64_t state[4], const uint8_t *bytes, size_t count);

/// Ends a fingerprint of `length` bytes in all.
void sluice_fingerprint_finish(uint64_t state[4], uint64_t length);
