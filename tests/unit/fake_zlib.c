/* A library that has zlib's names and does nothing with them, for tests of the loader's guards. */
#ifndef VERSION
#define VERSION "1.9"
#endif
#ifndef ANSWER
#define ANSWER 0
#endif

const char *zlibVersion(void) { return VERSION; }
int deflateInit2_(void) { return ANSWER; }
int deflate(void) { return 0; }
int deflateReset(void) { return 0; }
int deflateEnd(void) { return 0; }
