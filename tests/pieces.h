/* pieces.h -- a more_fn for tel__text_out that hands on what it has, as a socket does. Include it after the implementation. */
#ifndef PIECES_H_INCLUDED
#define PIECES_H_INCLUDED

typedef struct pieces { char* data; size_t size; } pieces;      /* data: room for all there will be */

static bool pieces_more(tel__text_out* out, size_t want) {
    pieces* p = (pieces*)out->user_data;
    (void)want;
    memcpy(p->data + p->size, out->data, out->size);
    p->size += out->size;
    out->size = 0;
    return true;
}
#endif
