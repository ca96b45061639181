// What Glibc's Swift module lacks: the allocator's own account. Source: mallinfo(3), "mallinfo2".
#pragma once
#include <malloc.h>
