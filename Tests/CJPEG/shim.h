#pragma once
#include <stdio.h>
#include <setjmp.h>
#include <jpeglib.h>

struct lw_jpeg_error {
    struct jpeg_error_mgr base;
    jmp_buf way_out;
};

static inline void lw_jpeg_leave(j_common_ptr it) { longjmp(((struct lw_jpeg_error *)it->err)->way_out, 1); }
static inline void lw_jpeg_silent(j_common_ptr it) { (void)it; }

/* Decodes a JPEG of exactly that size into rows of red, green, blue. 0: it is one; else it is not. The library's own way with an error
   is to end the program. */
static inline int lw_jpeg_decode(const unsigned char *bytes, unsigned long count, int width, int height,
                                 unsigned char *pixels) {
    struct jpeg_decompress_struct it;
    struct lw_jpeg_error error;
    it.err = jpeg_std_error(&error.base);
    error.base.error_exit = lw_jpeg_leave;
    error.base.output_message = lw_jpeg_silent;
    if (setjmp(error.way_out)) {
        jpeg_destroy_decompress(&it);
        return -1;
    }
    jpeg_create_decompress(&it);
    jpeg_mem_src(&it, (unsigned char *)bytes, count);
    jpeg_read_header(&it, TRUE);
    it.out_color_space = JCS_RGB;
    jpeg_start_decompress(&it);
    if ((int)it.output_width != width || (int)it.output_height != height || it.output_components != 3) {
        jpeg_destroy_decompress(&it);
        return -2;
    }
    while (it.output_scanline < it.output_height) {
        unsigned char *row = pixels + (unsigned long)it.output_scanline * (unsigned long)width * 3;
        jpeg_read_scanlines(&it, &row, 1);
    }
    jpeg_finish_decompress(&it);
    jpeg_destroy_decompress(&it);
    return 0;
}
