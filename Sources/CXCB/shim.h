#pragma once
#include <stdlib.h>
#include <xcb/xcb.h>
#include <xcb/shm.h>
#include <xcb/damage.h>
#include <xcb/randr.h>
#include <xcb/xtest.h>
#include <xcb/xfixes.h>

// Of an opaque type, which Swift cannot refer to as data.
static inline xcb_extension_t *lw_xcb_shm(void) { return &xcb_shm_id; }
static inline xcb_extension_t *lw_xcb_damage(void) { return &xcb_damage_id; }
static inline xcb_extension_t *lw_xcb_randr(void) { return &xcb_randr_id; }
static inline xcb_extension_t *lw_xcb_test(void) { return &xcb_test_id; }
static inline xcb_extension_t *lw_xcb_xfixes(void) { return &xcb_xfixes_id; }
