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
