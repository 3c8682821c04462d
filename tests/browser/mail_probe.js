// Runs inside the page and returns a list of faults; see mail_checks.py for what counts as one.
({ scheme, button }) => {
  const SMALLEST_TEXT = 14, LEAST_CONTRAST = 4.5, LEAST_TARGET = 44;
  const faults = new Set();
  const width = document.documentElement.clientWidth;
  const canvas = () => {
    const dark = scheme === "dark" && getComputedStyle(document.documentElement).colorScheme.includes("dark");
    return dark ? [18, 18, 18, 1] : [255, 255, 255, 1];
  };

  const rgba = (text) => {
    const found = text.match(/rgba?\(([^)]+)\)/);
    if (!found) return [0, 0, 0, 0];
    const [r, g, b, a = 1] = found[1].split(/[\s,/]+/).filter(Boolean).map(Number);
    return [r, g, b, a];
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const luminance = ([r, g, b]) => {
    const linear = (c) => ((c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  };
  const contrast = (one, other) => {
    const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  };

  // Every colour that may lie behind the element: one, or several where a gradient does.
  const behind = (element) => {
    if (!element) return [canvas()];
    const style = getComputedStyle(element);
    const own = rgba(style.backgroundColor);
    const below = own[3] === 1 ? [own] : behind(element.parentElement).map((color) => over(own, color));
    if (style.backgroundImage === "none") return below;
    const stops = style.backgroundImage.match(/rgba?\([^)]+\)/g);
    if (!stops) return null;
    return stops.map(rgba).flatMap((stop) => below.map((color) => over(stop, color)));
  };

  const shown = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.display === "none" || style.visibility !== "visible" || Number(style.opacity) === 0) return false;
    }
    return true;
  };
  const opacity = (element) => (element ? Number(getComputedStyle(element).opacity) * opacity(element.parentElement) : 1);
  const clipped = (element) => {
    for (let at = element.parentElement; at && at !== document.body; at = at.parentElement)
      if (getComputedStyle(at).overflowX !== "visible") return true;
    return false;
  };
  const name = (element) => `<${element.tagName.toLowerCase()}${element.className ? ` class="${element.className}"` : ""}>`;

  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const words = node.data.replace(/[\s\u00a0\u00ad\u034f\u200b-\u200d\ufeff]+/g, " ").trim();
    if (!words || /^(STYLE|SCRIPT|TITLE)$/.test(node.parentElement.tagName)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const boxes = [...range.getClientRects()].filter((box) => box.width > 0 && box.height > 0);
    if (boxes.length && shown(node.parentElement)) texts.push({ words: words.slice(0, 40), element: node.parentElement, boxes });
  }

  if (!texts.length) faults.add("there is no text to read");
  for (const { words, element, boxes } of texts) {
    const style = getComputedStyle(element);
    const size = parseFloat(style.fontSize);
    if (size < SMALLEST_TEXT) faults.add(`text of ${size} px: "${words}"`);
    if (boxes.some((box) => box.left < -0.5 || box.right > width + 0.5)) faults.add(`text beyond the screen: "${words}"`);
    const grounds = behind(element);
    if (!grounds) {
      faults.add(`text on a picture, its contrast can't be told: "${words}"`);
      continue;
    }
    const ink = rgba(style.webkitTextFillColor || style.color);
    ink[3] *= opacity(element);
    const worst = Math.min(...grounds.map((ground) => contrast(over(ink, ground), ground)));
    if (worst < LEAST_CONTRAST) faults.add(`contrast ${worst.toFixed(2)}: "${words}"`);
  }

  if (document.documentElement.scrollWidth > width)
    faults.add(`the page is ${document.documentElement.scrollWidth} px wide, the screen ${width}`);
  for (const element of document.body.querySelectorAll("*")) {
    const box = element.getBoundingClientRect();
    if (box.width && (box.right > width + 0.5 || box.left < -0.5) && shown(element) && !clipped(element))
      faults.add(`${name(element)} reaches from ${Math.round(box.left)} to ${Math.round(box.right)} px`);
  }

  const links = [...document.querySelectorAll("a[href]")].filter(shown);
  const buttons = links.filter((link) => {
    const own = rgba(getComputedStyle(link).backgroundColor), around = behind(link.parentElement.closest("table")?.parentElement ?? null);
    return own[3] > 0 && getComputedStyle(link).display !== "inline" && (!around || around.some((color) => contrast(own, color) > 1.2));
  });
  for (const link of buttons) {
    const box = link.getBoundingClientRect();
    if (Math.round(box.height) < LEAST_TARGET || Math.round(box.width) < LEAST_TARGET)
      faults.add(`button of ${Math.round(box.width)} x ${Math.round(box.height)} px: "${link.textContent.trim()}"`);
  }
  if (button && !buttons.length) faults.add("there is no button");
  if (button && new Set(buttons.map((link) => link.href)).size > 1) faults.add("buttons lead to different places: a mail has one goal");

  const ground = behind(document.body);
  if (scheme === "dark" && ground && ground.some((color) => luminance(color) > 0.2)) faults.add("the page stays light");
  if (!/^[a-z]{2,3}\b/.test(document.documentElement.lang) || document.documentElement.lang === "und")
    faults.add("no language is named (html lang)");
  for (const picture of document.images)
    if (!picture.hasAttribute("alt")) faults.add(`picture without an alternative text: ${picture.src.slice(0, 60)}`);
  return [...faults];
}
