// Deflate (RFC 1951), decoded in pieces. libarchive's gzip filter forgets up to 64 KiB of good data
// where a file breaks off; this decoder gives everything up to the break.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum {
  SLUICE_INFLATE_HISTORY = 32768,
  SLUICE_INFLATE_CHUNK = 65536,
  /// A block's header and a symbol with its extra bits fit into this many bytes.
  SLUICE_INFLATE_LOOKAHEAD = 1024,
};

typedef enum {
  /// Give more input (or say that there is none) and call again.
  sluice_inflate_hungry,
  /// `chunk` is full: take it.
  sluice_inflate_full,
  /// The stream's last block has ended; input from `position` on is not part of it.
  sluice_inflate_ended,
  /// The input ended within the stream; everything before is in `chunk`.
  sluice_inflate_cut,
  /// No deflate stream looks like this.
  sluice_inflate_damaged,
} sluice_inflate_status;

/// A canonical Huffman code: for each length its number of codes, its first code and where its symbols
/// begin in the list of symbols in code order.
typedef struct {
  uint16_t count[16], first[16], offset[16];
  uint16_t symbol[288];
  /// For the next 10 bits: symbol << 4 | length, or 0 where the code is longer.
  uint16_t fast[1024];
} sluice_huffman;

typedef struct {
  // Input: bytes[position..<end]; `last` once no more will come.
  const uint8_t *bytes;
  size_t position, end;
  int last;
  uint64_t bits;
  int held;
  // Where the stream is.
  int mode, final_block;
  uint32_t stored;
  sluice_huffman lengths, distances;
  // Output: the history of 32 KiB, then up to 64 KiB that were not taken yet.
  size_t written, total;
  uint8_t window[SLUICE_INFLATE_HISTORY + SLUICE_INFLATE_CHUNK + 258];
} sluice_inflater;

void sluice_inflate_begin(sluice_inflater *state);

/// Decodes until the chunk is full, input runs short or the stream ends. Never reads or writes out of
/// bounds, whatever the input.
sluice_inflate_status sluice_inflate(sluice_inflater *state);

/// The bytes decoded since the last call to `sluice_inflate_taken`: `written` of them.
static inline const uint8_t *sluice_inflate_chunk(const sluice_inflater *state) {
  return state->window + SLUICE_INFLATE_HISTORY;
}

/// Says that the chunk was copied; its end becomes history.
void sluice_inflate_taken(sluice_inflater *state);

/// Gives whole unread bytes of the bit buffer back, so that `position` is where the stream has ended.
void sluice_inflate_return_bits(sluice_inflater *state);
