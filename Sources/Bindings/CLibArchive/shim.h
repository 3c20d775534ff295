// libarchive for containers and compressions; zlib for gzip, whose check sums libarchive 3.6 does not verify.
#pragma once
#include <archive.h>
#include <archive_entry.h>
#include <zlib.h>
