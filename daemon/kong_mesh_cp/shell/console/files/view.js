// What is shown, as descriptions of elements; `render` changes what is there into what is described.
// Text is only ever text: nothing here makes elements of a string.

const SVG = "http://www.w3.org/2000/svg";
const KEY = Symbol("key");
const PROPS = Symbol("props");
const HANDLERS = Symbol("handlers");
const NODE = Symbol("node"); // what `h` has made: no document that came from elsewhere has it
const NONE = Object.freeze({});
const AS_PROPERTIES = new Set(["value", "checked"]);

/**
 * A description of an element. `props`: attributes; `on…` are handlers of events, `key` tells an
 * element from its siblings, so that it stays itself when it moves. Children may be nested lists;
 * null, undefined and false are left out.
 */
export function h(tag, props, ...children) {
  const shown = children.flat(Infinity).filter((each) => each !== null && each !== undefined && each !== false);
  return { [NODE]: true, tag, props: props ?? NONE, children: shown.map((each) => (each[NODE] ? each : String(each))) };
}

/** Make the children of `root` what `nodes` describe. Elements that stay keep focus and selection. */
export function render(root, nodes) {
  patchChildren(root, nodes.flat(Infinity).filter(Boolean), root);
}

function patchChildren(parent, nodes, root) {
  const wanted = new Set(nodes.map((node) => node.props?.key).filter((key) => key !== undefined));
  const keyed = new Map();
  const others = [];
  for (const child of [...parent.childNodes]) {
    if (child[KEY] === undefined) others.push(child);
    else if (wanted.has(child[KEY])) keyed.set(child[KEY], child);
    else child.remove();
  }
  let at = parent.firstChild;
  for (const node of nodes) {
    const made = reused(node, keyed, others) ?? created(node, parent);
    if (made === at) at = at.nextSibling;
    else parent.insertBefore(made, at);
    patch(made, node, root);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function reused(node, keyed, others) {
  if (node.props?.key !== undefined) {
    const found = keyed.get(node.props.key);
    keyed.delete(node.props.key);
    return found?.localName === node.tag ? found : undefined;
  }
  const fits = typeof node === "string" ? (each) => each.nodeType === Node.TEXT_NODE : (each) => each.localName === node.tag;
  const index = others.findIndex(fits);
  return index < 0 ? undefined : others.splice(index, 1)[0];
}

function created(node, parent) {
  if (typeof node === "string") return document.createTextNode(node);
  const ofSvg = node.tag === "svg" || (parent.namespaceURI === SVG && parent.localName !== "foreignObject");
  return ofSvg ? document.createElementNS(SVG, node.tag) : document.createElement(node.tag);
}

function patch(element, node, root) {
  if (typeof node === "string") {
    if (element.data !== node) element.data = node;
    return;
  }
  const before = element[PROPS] ?? NONE;
  for (const name of Object.keys(before)) if (!(name in node.props)) set(element, name, null, root);
  for (const [name, value] of Object.entries(node.props)) {
    if (value !== before[name] || AS_PROPERTIES.has(name)) set(element, name, value, root);
  }
  element[PROPS] = node.props;
  patchChildren(element, node.children, root);
}

function set(element, name, value, root) {
  if (name === "key") element[KEY] = value ?? undefined;
  else if (name.startsWith("on")) {
    listen(root, name.slice(2));
    element[HANDLERS] = { ...element[HANDLERS], [name.slice(2)]: value };
  } else if (AS_PROPERTIES.has(name)) {
    if (element[name] !== value) element[name] = value ?? "";
  } else if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : value);
}

const heard = new WeakMap();

/** One listener for each kind of event; it captures, because not all of them bubble. */
function listen(root, type) {
  const types = heard.get(root) ?? new Set();
  heard.set(root, types);
  if (types.has(type)) return;
  types.add(type);
  root.addEventListener(
    type,
    (event) => {
      for (let element = event.target; element && element !== root; element = element.parentNode) {
        const handler = element[HANDLERS]?.[type];
        if (handler) return handler(event, element);
        if (!event.bubbles) return undefined;
      }
      return undefined;
    },
    { capture: true },
  );
}
