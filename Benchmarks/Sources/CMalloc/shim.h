// What Glibc's Swift module lacks: the allocator's own account. Source: mallinfo(3), "mallinfo2".
#pragma once
#include <malloc.h>
#include <stddef.h>

// Hidden without _GNU_SOURCE, which clashes with Glibc's own module when set here. Source: memmem(3).
void *memmem(const void *haystack, size_t haystack_size, const void *needle, size_t needle_size);
