#include "CDashboardPage.h"

// A part of C since 2023. Clang takes it in every dialect.
#pragma clang diagnostic ignored "-Wc23-extensions"

// Each file of `page/` stands here twice: its content, and its entry in the table. The tests compare the table with
// the folder.
static const unsigned char access_js[] = {
#embed "page/access.js"
};
static const unsigned char chart_js[] = {
#embed "page/chart.js"
};
static const unsigned char decision_js[] = {
#embed "page/decision.js"
};
static const unsigned char dialogs_js[] = {
#embed "page/dialogs.js"
};
static const unsigned char dom_js[] = {
#embed "page/dom.js"
};
static const unsigned char endpoint_panel_js[] = {
#embed "page/endpoint-panel.js"
};
static const unsigned char events_js[] = {
#embed "page/events.js"
};
static const unsigned char feed_js[] = {
#embed "page/feed.js"
};
static const unsigned char format_js[] = {
#embed "page/format.js"
};
static const unsigned char frame_js[] = {
#embed "page/frame.js"
};
static const unsigned char grid_js[] = {
#embed "page/grid.js"
};
static const unsigned char heatmap_js[] = {
#embed "page/heatmap.js"
};
static const unsigned char icon_svg[] = {
#embed "page/icon.svg"
};
static const unsigned char index_html[] = {
#embed "page/index.html"
};
static const unsigned char keys_js[] = {
#embed "page/keys.js"
};
static const unsigned char main_js[] = {
#embed "page/main.js"
};
static const unsigned char palette_js[] = {
#embed "page/palette.js"
};
static const unsigned char parts_css[] = {
#embed "page/parts.css"
};
static const unsigned char requests_css[] = {
#embed "page/requests.css"
};
static const unsigned char router_js[] = {
#embed "page/router.js"
};
static const unsigned char sizes_css[] = {
#embed "page/sizes.css"
};
static const unsigned char snippets_js[] = {
#embed "page/snippets.js"
};
static const unsigned char store_js[] = {
#embed "page/store.js"
};
static const unsigned char style_css[] = {
#embed "page/style.css"
};
static const unsigned char view_endpoints_js[] = {
#embed "page/view-endpoints.js"
};
static const unsigned char view_live_js[] = {
#embed "page/view-live.js"
};
static const unsigned char view_playground_js[] = {
#embed "page/view-playground.js"
};
static const unsigned char view_queues_js[] = {
#embed "page/view-queues.js"
};
static const unsigned char view_request_js[] = {
#embed "page/view-request.js"
};
static const unsigned char view_requests_js[] = {
#embed "page/view-requests.js"
};
static const unsigned char view_routes_js[] = {
#embed "page/view-routes.js"
};
static const unsigned char views_css[] = {
#embed "page/views.css"
};

#define PAGE_FILE(NAME, BYTES) {NAME, BYTES, sizeof BYTES}

static const struct martlet_page_file martlet_page_files[] = {
    PAGE_FILE("access.js", access_js),
    PAGE_FILE("chart.js", chart_js),
    PAGE_FILE("decision.js", decision_js),
    PAGE_FILE("dialogs.js", dialogs_js),
    PAGE_FILE("dom.js", dom_js),
    PAGE_FILE("endpoint-panel.js", endpoint_panel_js),
    PAGE_FILE("events.js", events_js),
    PAGE_FILE("feed.js", feed_js),
    PAGE_FILE("format.js", format_js),
    PAGE_FILE("frame.js", frame_js),
    PAGE_FILE("grid.js", grid_js),
    PAGE_FILE("heatmap.js", heatmap_js),
    PAGE_FILE("icon.svg", icon_svg),
    PAGE_FILE("index.html", index_html),
    PAGE_FILE("keys.js", keys_js),
    PAGE_FILE("main.js", main_js),
    PAGE_FILE("palette.js", palette_js),
    PAGE_FILE("parts.css", parts_css),
    PAGE_FILE("requests.css", requests_css),
    PAGE_FILE("router.js", router_js),
    PAGE_FILE("sizes.css", sizes_css),
    PAGE_FILE("snippets.js", snippets_js),
    PAGE_FILE("store.js", store_js),
    PAGE_FILE("style.css", style_css),
    PAGE_FILE("view-endpoints.js", view_endpoints_js),
    PAGE_FILE("view-live.js", view_live_js),
    PAGE_FILE("view-playground.js", view_playground_js),
    PAGE_FILE("view-queues.js", view_queues_js),
    PAGE_FILE("view-request.js", view_request_js),
    PAGE_FILE("view-requests.js", view_requests_js),
    PAGE_FILE("view-routes.js", view_routes_js),
    PAGE_FILE("views.css", views_css),
};

size_t martlet_page_file_count(void) {
    return sizeof martlet_page_files / sizeof *martlet_page_files;
}

struct martlet_page_file martlet_page_file_at(size_t index) {
    return martlet_page_files[index];
}
