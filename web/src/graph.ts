// Where the things of a dependency graph stand: whoever depends on another stands above it, so that trouble rises.
import type { GraphAnswer } from './incidentapi';

export interface Node {
    id: string;
    kind: string;
    title: string;
}
export interface Edge {
    from: string;
    to: string;
    title: string;
    relation: string;
}
export interface Placed extends Node {
    x: number; // the middle
    y: number;
}
export interface Layout {
    nodes: Placed[];
    edges: Edge[];
    width: number;
    height: number;
    left: number; // nodes that were left out
}

/** One graph of several answers. */
export function joined(answers: GraphAnswer[]): { nodes: Node[]; edges: Edge[] } {
    const nodes = new Map<string, Node>();
    const edges = new Map<string, Edge>();
    for (const answer of answers) {
        for (const { id, kind, title } of answer.nodes) nodes.set(id, { id, kind, title });
        for (const { from, to, title, relation } of answer.edges) edges.set(`${from} ${to} ${relation}`, { from, to, title, relation });
    }
    return { nodes: [...nodes.values()], edges: [...edges.values()].filter((e) => nodes.has(e.from) && nodes.has(e.to)) };
}

/** Without what merely runs on a troubled machine: there may be a hundred of those, and they explain nothing. */
export function relevant(graph: { nodes: Node[]; edges: Edge[] }, troubled: string[]): { nodes: Node[]; edges: Edge[] } {
    const own = new Set(troubled);
    const nodes = graph.nodes.filter((n) => own.has(n.id) || graph.edges.some((e) => (e.from === n.id || e.to === n.id) && !(e.from === n.id && e.relation === 'runs_on')));
    const ids = new Set(nodes.map((n) => n.id));
    return { nodes, edges: graph.edges.filter((e) => ids.has(e.from) && ids.has(e.to)) };
}

/** How deep each stands: below everything that depends on it. A circle is cut where it would go on. */
export function depths(nodes: Node[], edges: Edge[]): Map<string, number> {
    const below = new Map<string, string[]>();
    for (const { from, to } of edges) if (from !== to) below.set(from, [...(below.get(from) ?? []), to]);
    const depth = new Map<string, number>(nodes.map((n) => [n.id, 0]));
    const visit = (id: string, path: Set<string>) => {
        for (const next of below.get(id) ?? []) {
            if (path.has(next) || (depth.get(next) ?? 0) > depth.get(id)!) continue;
            depth.set(next, depth.get(id)! + 1);
            visit(next, new Set(path).add(next));
        }
    };
    for (const node of nodes) visit(node.id, new Set([node.id]));
    return depth;
}

/** The most important nodes (those named first) in rows that fit the width. */
export function laidOut(graph: { nodes: Node[]; edges: Edge[] }, first: string[], width: number, most = 18, nodeWidth = 150, rowHeight = 74): Layout {
    const rank = new Map(first.map((id, i) => [id, i]));
    const kept = [...graph.nodes].sort((a, b) => (rank.get(a.id) ?? 1e6) - (rank.get(b.id) ?? 1e6)).slice(0, most);
    const ids = new Set(kept.map((n) => n.id));
    const edges = graph.edges.filter((e) => ids.has(e.from) && ids.has(e.to));
    const depth = depths(kept, edges);
    const across = Math.max(1, Math.floor(width / nodeWidth));
    const rows: Node[][] = [];
    for (const level of [...new Set(depth.values())].sort((a, b) => a - b)) {
        const row = ordered(kept.filter((n) => depth.get(n.id) === level), rows.at(-1) ?? [], edges);
        for (let i = 0; i < row.length; i += across) rows.push(row.slice(i, i + across));
    }
    const nodes = rows.flatMap((row, y) => row.map((node, x) => ({ ...node, x: ((x + 0.5) * width) / row.length, y: (y + 0.5) * rowHeight })));
    return { nodes, edges, width, height: rows.length * rowHeight, left: graph.nodes.length - kept.length };
}

/** In the order of what they hang from in the row above, so that few lines cross. */
function ordered(row: Node[], above: Node[], edges: Edge[]): Node[] {
    const place = new Map(above.map((n, i) => [n.id, i]));
    const middle = (node: Node) => {
        const places = edges.flatMap((e) => (e.to === node.id && place.has(e.from) ? [place.get(e.from)!] : []));
        return places.length ? places.reduce((sum, p) => sum + p, 0) / places.length : above.length / 2;
    };
    return row.map((node) => ({ node, at: middle(node) })).sort((a, b) => a.at - b.at || a.node.title.localeCompare(b.node.title)).map((m) => m.node);
}
