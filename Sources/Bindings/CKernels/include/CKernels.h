// The hot loops of ACE, in C so that the processor's vector unit is chosen at run time.
#pragma once
#include <stdint.h>
