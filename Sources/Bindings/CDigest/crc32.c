#include "CDigest.h"

#include <string.h>

// Eight tables: each step folds eight bytes into the sum at once.
static uint32_t table[8][256];
static int ready;

static void prepare(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int k = 0; k < 8; k++) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
    table[0][i] = c;
  }
  for (uint32_t i = 0; i < 256; i++)
    for (int k = 1; k < 8; k++) table[k][i] = table[0][table[k - 1][i] & 255] ^ (table[k - 1][i] >> 8);
}

uint32_t sluice_crc32(uint32_t sum, const uint8_t *bytes, size_t count) {
  // Every thread that comes here first writes the same numbers.
  if (!__atomic_load_n(&ready, __ATOMIC_ACQUIRE)) {
    prepare();
    __atomic_store_n(&ready, 1, __ATOMIC_RELEASE);
  }
  uint32_t c = ~sum;
  for (; count >= 8; count -= 8, bytes += 8) {
    uint32_t a, b;
    memcpy(&a, bytes, 4);
    memcpy(&b, bytes + 4, 4);
    a ^= c;
    c = table[7][a & 255] ^ table[6][a >> 8 & 255] ^ table[5][a >> 16 & 255] ^ table[4][a >> 24] ^
        table[3][b & 255] ^ table[2][b >> 8 & 255] ^ table[1][b >> 16 & 255] ^ table[0][b >> 24];
  }
  for (; count; count--, bytes++) c = table[0][(c ^ *bytes) & 255] ^ (c >> 8);
  return ~c;
}
