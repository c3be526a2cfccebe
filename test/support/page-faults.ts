/**
 * Run in a page it tells what a person could not use there: text and edges that do not stand out (WCAG 2.2, 1.4.3 and 1.4.11), what is cut
 * off (1.4.10), too small to hit (2.5.8), or has no label (1.3.1).
 */
export const pageFaults = String.raw`(() => {
  const channels = (colour) => (colour.match(/[\d.]+/g) ?? []).map(Number);
  const part = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = (colour) => {
    const [red, green, blue] = channels(colour).map(part);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const ground = (element) => {
    if (element === null) return 'rgb(255, 255, 255)';
    const { backgroundColor } = getComputedStyle(element);
    return channels(backgroundColor)[3] === 0 ? ground(element.parentElement) : backgroundColor;
  };
  const faults = [];
  const over = document.documentElement.scrollWidth - innerWidth;
  if (over > 0) faults.push(over + ' px are cut off');
  for (const element of document.querySelectorAll('main *')) {
    const { width, height } = element.getBoundingClientRect();
    const { color, borderTopColor, borderTopWidth } = getComputedStyle(element);
    if (width === 0 || element.closest('svg') !== null) continue;
    const fault = (text) => faults.push(element.tagName + ' ' + element.textContent.trim().slice(0, 30) + ': ' + text);
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.nodeValue.trim() !== '');
    if (hasText && contrast(color, ground(element)) < 4.5) fault('its text does not stand out');
    if (!element.matches('a, button, input:not([type=hidden])')) continue;
    if (height < 24 || width < 24) fault(width + ' by ' + height + ' px');
    if (borderTopWidth !== '0px' && contrast(borderTopColor, ground(element.parentElement)) < 3)
      fault('its edge does not stand out');
    if (element.matches('input') && element.labels.length === 0) fault('no label');
  }
  return faults;
})()`;
