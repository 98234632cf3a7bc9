// What the tests of the dashboard ask the page itself. Each function is run in the page, and gives a list of findings.

/** Texts whose contrast to what is behind them is too little. */
export function weakContrasts() {
    const parse = (text) => {
        const [red, green, blue, alpha = 1] = text.match(/[\d.]+/g).map(Number);
        return { red, green, blue, alpha };
    };
    const over = (top, below) => {
        const mix = (name) => top[name] * top.alpha + below[name] * (1 - top.alpha);
        return { red: mix("red"), green: mix("green"), blue: mix("blue"), alpha: 1 };
    };
    const linear = (part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
    const luminance = (colour) =>
        0.2126 * linear(colour.red) + 0.7152 * linear(colour.green) + 0.0722 * linear(colour.blue);
    const background = (element) => {
        const layers = [];
        for (let one = element; one; one = one.parentElement) {
            layers.push(parse(getComputedStyle(one).backgroundColor));
        }
        const paper = { red: 255, green: 255, blue: 255, alpha: 1 };
        return layers.reverse().reduce((below, top) => over(top, below), paper);
    };
    const findings = new Set();
    const judge = (element, style, text) => {
        const behind = background(element);
        const ink = over(parse(style.color), behind);
        const [light, dark] = [luminance(ink), luminance(behind)].sort((left, right) => right - left);
        const contrast = (light + 0.05) / (dark + 0.05);
        const size = parseFloat(style.fontSize);
        const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
        if (contrast >= (isLarge ? 3 : 4.5)) return;
        const where = `${element.tagName}.${element.className}`;
        findings.add(`${contrast.toFixed(2)}: "${text.trim().slice(0, 40)}" in ${where}`);
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        const isShown = element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
        const text = walker.currentNode.data;
        if (text.trim() && isShown) judge(element, getComputedStyle(element), text);
    }
    for (const field of document.querySelectorAll("input, textarea, select")) {
        if (!field.checkVisibility({ visibilityProperty: true })) continue;
        judge(field, getComputedStyle(field), field.value || "value");
        if (field.placeholder) judge(field, getComputedStyle(field, "::placeholder"), field.placeholder);
    }
    return [...findings];
}

/** What is wrong with the page's structure: for those who do not see it, and for those who only have a keyboard. */
export function structureFaults() {
    const findings = [];
    const shown = (selector) =>
        [...document.querySelectorAll(selector)].filter((node) => node.checkVisibility({ visibilityProperty: true }));
    for (const selector of ["header.top", "nav", "main", "h1"]) {
        if (shown(selector).length !== 1) findings.push(`${shown(selector).length} of ${selector}`);
    }
    const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
    for (const id of ids.filter((one, place) => ids.indexOf(one) !== place)) findings.push(`two elements are #${id}`);
    for (const node of document.querySelectorAll("[tabindex]")) {
        if (node.tabIndex > 0) findings.push(`tabindex ${node.tabIndex}`);
    }
    for (const node of document.querySelectorAll("img:not([alt])")) findings.push(`no alt: ${node.src}`);
    for (const attribute of ["aria-labelledby", "aria-activedescendant", "aria-describedby"]) {
        for (const node of document.querySelectorAll(`[${attribute}]`)) {
            if (!document.getElementById(node.getAttribute(attribute))) findings.push(`${attribute} names nobody`);
        }
    }
    for (const table of shown("table")) {
        if (table.tHead?.querySelector("th:not([scope])")) findings.push("a head without scope");
    }
    if (document.documentElement.scrollWidth > innerWidth) findings.push("the page scrolls sideways");
    if (!document.documentElement.lang) findings.push("no language");
    return findings;
}
