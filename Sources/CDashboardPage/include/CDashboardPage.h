#ifndef MARTLET_C_DASHBOARD_PAGE_H
#define MARTLET_C_DASHBOARD_PAGE_H

#include <stddef.h>

/// A file of the dashboard's page, as it lies under `page/`.
struct martlet_page_file {
    /// The file's name; ends with a 0.
    const char *_Nonnull name;
    /// The file's content.
    const unsigned char *_Nonnull bytes;
    /// How many bytes the content has.
    size_t count;
};

/// How many files the page has. Swift cannot take a file's content into a binary; C can, and notices when it changes.
size_t martlet_page_file_count(void);
/// The file at `index`, which is below their number.
struct martlet_page_file martlet_page_file_at(size_t index);

#endif
