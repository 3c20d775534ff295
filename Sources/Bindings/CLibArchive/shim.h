// libarchive: containers and compressions, as streams.
#pragma once
#include <archive.h>
#include <archive_entry.h>
