#include "CDigest.h"

#include <string.h>

// Each of four lanes takes 16 bytes of a block: both halves of a 128-bit product, folded into one word.
// Odd constants with as many ones as zeros; they only must not be words that texts are made of.
static const uint64_t salt[8] = {0x9e3779b97f4a7c15ull, 0xd1b54a32d192ed03ull, 0xaef17502108ef2d9ull,
                                 0xf1357aea2e62a9c5ull, 0xbea225f9eb34556dull, 0x8cb92ba72f3d8dd7ull,
                                 0xc6a4a7935bd1e995ull, 0xe7037ed1a0b428dbull};

static inline uint64_t folded(uint64_t a, uint64_t b) {
  __uint128_t product = (__uint128_t)a * b;
  return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t word(const uint8_t *p) {
  uint64_t w;
  memcpy(&w, p, 8);
  return w;
}

void sluice_fingerprint_blocks(uint64_t state[4], const uint8_t *p, size_t count) {
  uint64_t a = state[0], b = state[1], c = state[2], d = state[3];
  for (; count; count--, p += 64) {
    a = folded(word(p) ^ salt[0], word(p + 8) ^ a);
    b = folded(word(p + 16) ^ salt[1], word(p + 24) ^ b);
    c = folded(word(p + 32) ^ salt[2], word(p + 40) ^ c);
    d = folded(word(p + 48) ^ salt[3], word(p + 56) ^ d);
  }
  state[0] = a, state[1] = b, state[2] = c, state[3] = d;
}

void sluice_fingerprint_finish(uint64_t state[4], uint64_t length) {
  uint64_t s[4];
  memcpy(s, state, sizeof s);
  for (int k = 0; k < 4; k++) state[k] = folded(s[k] ^ salt[4 + k], length ^ salt[k]) ^ folded(s[(k + 1) & 3] ^ salt[k], s[k] ^ salt[4 + k]);
}
