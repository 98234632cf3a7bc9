#include "CDashboardPage.h"

// A part of C since 2023. Clang takes it in every dialect.
#pragma clang diagnostic ignored "-Wc23-extensions"

// Each file of `page/` stands here twice: its content, and its entry in the table. The tests compare the table with
// the folder.
static const unsigned char index_html[] = {
#embed "page/index.html"
};

#define PAGE_FILE(NAME, BYTES) {NAME, BYTES, sizeof BYTES}

static const struct martlet_page_file martlet_page_files[] = {
    PAGE_FILE("index.html", index_html),
};

size_t martlet_page_file_count(void) {
    return sizeof martlet_page_files / sizeof *martlet_page_files;
}

struct martlet_page_file martlet_page_file_at(size_t index) {
    return martlet_page_files[index];
}
