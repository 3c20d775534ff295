#include "CInflate.h"

#include <string.h>

enum { between_blocks, in_stored, in_codes, behind_stream };

void sluice_inflate_begin(sluice_inflater *s) {
  s->bits = 0;
  s->held = 0;
  s->mode = between_blocks;
  s->final_block = 0;
  s->written = 0;
  s->total = 0;
}

void sluice_inflate_taken(sluice_inflater *s) {
  // The last 32 KiB of history and chunk move to the front.
  memmove(s->window, s->window + s->written, SLUICE_INFLATE_HISTORY);
  s->written = 0;
}

void sluice_inflate_return_bits(sluice_inflater *s) {
  while (s->held >= 8) {
    s->held -= 8;
    s->position--;
  }
  s->bits = 0;
  s->held = 0;
}

static inline void refill(sluice_inflater *s) {
  while (s->held <= 56 && s->position < s->end) {
    s->bits |= (uint64_t)s->bytes[s->position++] << s->held;
    s->held += 8;
  }
}

/// Takes `count` <= 16 bits; -1 where there are fewer.
static inline int take(sluice_inflater *s, int count) {
  if (s->held < count) refill(s);
  if (s->held < count) return -1;
  int value = (int)(s->bits & ((1u << count) - 1));
  s->bits >>= count;
  s->held -= count;
  return value;
}

/// Builds a code from lengths 0...15; 0 where they are no code. A single code of one bit is allowed.
static int build(sluice_huffman *code, const uint8_t *length, int count) {
  uint16_t next_code[16], next_place[16];
  memset(code, 0, sizeof *code);
  for (int i = 0; i < count; i++) code->count[length[i]]++;
  code->count[0] = 0;
  int left = 1, used = 0;
  for (int l = 1; l < 16; l++) {
    left = left * 2 - code->count[l];
    if (left < 0) return 0;
    used += code->count[l];
  }
  if (left > 0 && !(used <= 1)) return 0;
  for (int l = 2; l < 16; l++) {
    code->first[l] = (uint16_t)((code->first[l - 1] + code->count[l - 1]) << 1);
    code->offset[l] = (uint16_t)(code->offset[l - 1] + code->count[l - 1]);
  }
  memcpy(next_code, code->first, sizeof next_code);
  memcpy(next_place, code->offset, sizeof next_place);
  for (int i = 0; i < count; i++) {
    int l = length[i];
    if (!l) continue;
    unsigned value = next_code[l]++;
    code->symbol[next_place[l]++] = (uint16_t)i;
    if (l > 10) continue;
    unsigned reversed = 0;
    for (int k = 0; k < l; k++) reversed |= (value >> k & 1) << (l - 1 - k);
    for (unsigned k = reversed; k < 1024; k += 1u << l) code->fast[k] = (uint16_t)(i << 4 | l);
  }
  return 1;
}

/// The next symbol; -1 where the input ends within it, -2 where no code fits.
static inline int decode(sluice_inflater *s, const sluice_huffman *code) {
  if (s->held < 15) refill(s);
  uint16_t entry = code->fast[s->bits & 1023];
  if (entry && (entry & 15) <= s->held) {
    s->bits >>= entry & 15;
    s->held -= entry & 15;
    return entry >> 4;
  }
  unsigned value = 0;
  for (int l = 1; l < 16; l++) {
    if (l > s->held) return -1;
    value = value << 1 | (unsigned)(s->bits >> (l - 1) & 1);
    unsigned place = value - code->first[l];
    if (place < code->count[l]) {
      s->bits >>= l;
      s->held -= l;
      return code->symbol[code->offset[l] + place];
    }
  }
  return -2;
}

static int fixed_codes(sluice_inflater *s) {
  uint8_t length[288];
  for (int i = 0; i < 288; i++) length[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
  if (!build(&s->lengths, length, 288)) return 0;
  // Thirty codes of five bits are incomplete by design; the two missing ones never occur.
  for (int i = 0; i < 32; i++) length[i] = 5;
  return build(&s->distances, length, 32);
}

/// Reads a dynamic block's codes: 1, or 0 damaged, or -1 cut off.
static int dynamic_codes(sluice_inflater *s) {
  static const uint8_t order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
  int literals = take(s, 5), distances = take(s, 5), count = take(s, 4);
  if (literals < 0 || distances < 0 || count < 0) return -1;
  literals += 257;
  distances += 1;
  if (literals > 286 || distances > 30) return 0;
  uint8_t length[320] = {0};
  for (int i = 0; i < count + 4; i++) {
    int l = take(s, 3);
    if (l < 0) return -1;
    length[order[i]] = (uint8_t)l;
  }
  sluice_huffman code;
  if (!build(&code, length, 19)) return 0;
  memset(length, 0, sizeof length);
  for (int i = 0; i < literals + distances;) {
    int symbol = decode(s, &code);
    if (symbol < 0) return symbol == -1 ? -1 : 0;
    if (symbol < 16) {
      length[i++] = (uint8_t)symbol;
      continue;
    }
    int value = 0, repeat = take(s, symbol == 16 ? 2 : symbol == 17 ? 3 : 7);
    if (repeat < 0) return -1;
    repeat += symbol == 18 ? 11 : 3;
    if (symbol == 16) {
      if (i == 0) return 0;
      value = length[i - 1];
    }
    if (i + repeat > literals + distances) return 0;
    while (repeat--) length[i++] = (uint8_t)value;
  }
  if (!length[256]) return 0;
  return build(&s->lengths, length, literals) && build(&s->distances, length + literals, distances);
}

static sluice_inflate_status begin_block(sluice_inflater *s) {
  s->final_block = take(s, 1);
  int kind = take(s, 2);
  if (s->final_block < 0 || kind < 0) return sluice_inflate_cut;
  if (kind == 0) {
    // The rest of the byte is padding; lengths and data are whole bytes.
    int rest = s->held & 7;
    s->bits >>= rest;
    s->held -= rest;
    int length = take(s, 16), complement = take(s, 16);
    if (length < 0 || complement < 0) return sluice_inflate_cut;
    if (length != (~complement & 0xFFFF)) return sluice_inflate_damaged;
    s->stored = (uint32_t)length;
    s->mode = in_stored;
    return sluice_inflate_full;
  }
  if (kind == 3) return sluice_inflate_damaged;
  int made = kind == 1 ? fixed_codes(s) : dynamic_codes(s);
  if (made <= 0) return made < 0 ? sluice_inflate_cut : sluice_inflate_damaged;
  s->mode = in_codes;
  return sluice_inflate_full;
}

/// Copies `length` bytes from `distance` back; they may overlap.
static inline void copy(sluice_inflater *s, int length, int distance) {
  uint8_t *to = s->window + SLUICE_INFLATE_HISTORY + s->written;
  const uint8_t *from = to - distance;
  for (int i = 0; i < length; i++) to[i] = from[i];
  s->written += (size_t)length;
  s->total += (size_t)length;
}

static sluice_inflate_status run_codes(sluice_inflater *s) {
  static const uint16_t base[29] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                    31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
  static const uint8_t extra[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                    2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
  static const uint16_t far_base[30] = {1,   2,   3,   4,   5,   7,    9,    13,   17,   25,
                                        33,  49,  65,  97,  129, 193,  257,  385,  513,  769,
                                        1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
  static const uint8_t far_extra[30] = {0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
                                        6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};
  while (s->written < SLUICE_INFLATE_CHUNK) {
    if (!s->last && s->end - s->position < 16) return sluice_inflate_hungry;
    refill(s);
    int symbol = decode(s, &s->lengths);
    if (symbol < 0) return symbol == -1 ? sluice_inflate_cut : sluice_inflate_damaged;
    if (symbol < 256) {
      s->window[SLUICE_INFLATE_HISTORY + s->written++] = (uint8_t)symbol;
      s->total++;
      continue;
    }
    if (symbol == 256) {
      s->mode = between_blocks;
      return sluice_inflate_full;
    }
    if (symbol > 285) return sluice_inflate_damaged;
    int more = take(s, extra[symbol - 257]);
    if (more < 0) return sluice_inflate_cut;
    int length = base[symbol - 257] + more;
    refill(s);
    int place = decode(s, &s->distances);
    if (place < 0) return place == -1 ? sluice_inflate_cut : sluice_inflate_damaged;
    if (place > 29) return sluice_inflate_damaged;
    more = take(s, far_extra[place]);
    if (more < 0) return sluice_inflate_cut;
    int distance = far_base[place] + more;
    if ((size_t)distance > s->total) return sluice_inflate_damaged;
    copy(s, length, distance);
  }
  return sluice_inflate_full;
}

static sluice_inflate_status run_stored(sluice_inflater *s) {
  while (s->stored && s->written < SLUICE_INFLATE_CHUNK) {
    int byte = take(s, 8);
    if (byte < 0) return s->last ? sluice_inflate_cut : sluice_inflate_hungry;
    s->window[SLUICE_INFLATE_HISTORY + s->written++] = (uint8_t)byte;
    s->total++;
    s->stored--;
  }
  if (!s->stored) s->mode = between_blocks;
  return sluice_inflate_full;
}

sluice_inflate_status sluice_inflate(sluice_inflater *s) {
  while (s->written < SLUICE_INFLATE_CHUNK) {
    sluice_inflate_status status;
    if (s->mode == in_codes) {
      status = run_codes(s);
    } else if (s->mode == in_stored) {
      status = run_stored(s);
    } else {
      if (s->mode == behind_stream || s->final_block) {
        s->mode = behind_stream;
        return sluice_inflate_ended;
      }
      if (!s->last && s->end - s->position < SLUICE_INFLATE_LOOKAHEAD) return sluice_inflate_hungry;
      status = begin_block(s);
    }
    if (status != sluice_inflate_full) return status;
  }
  return sluice_inflate_full;
}
