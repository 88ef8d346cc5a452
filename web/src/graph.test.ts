import { expect, test } from 'vitest';
import { depths, joined, laidOut, relevant, type Edge } from './graph';

const node = (id: string) => ({ id, kind: 'service', title: id });
const edge = (from: string, to: string, relation = 'calls'): Edge => ({ from, to, relation, title: relation });
const answer = (nodes: string[], edges: [string, string][]) => ({
    nodes: nodes.map((id) => ({ ...node(id), distance: 0 })), whole: true,
    edges: edges.map(([from, to]) => ({ from, to, relation: 'calls', title: 'calls', inverse_title: '', impact: 'to_from' })),
});

test('answers that overlap make one graph, without edges that lead out of it', () => {
    const graph = joined([answer(['a', 'b'], [['a', 'b'], ['b', 'z']]), answer(['b', 'c'], [['b', 'c'], ['a', 'b']])]);
    expect(graph.nodes.map((n) => n.id)).toEqual(['a', 'b', 'c']);
    expect(graph.edges.map((e) => e.from + e.to)).toEqual(['ab', 'bc']);
});

test('whoever needs another stands above it, by the longest way', () => {
    const found = depths(['a', 'b', 'c'].map(node), [edge('a', 'c'), edge('a', 'b'), edge('b', 'c')]);
    expect([found.get('a'), found.get('b'), found.get('c')]).toEqual([0, 1, 2]);
});

test('a circle of dependencies has an end', () => {
    const found = depths(['a', 'b', 'c'].map(node), [edge('a', 'b'), edge('b', 'c'), edge('c', 'a'), edge('a', 'a')]);
    expect([...found.values()].every((d) => d >= 0 && d < 6)).toBe(true);
});

test('what merely runs on a troubled host is left out; what is needed stays', () => {
    const graph = { nodes: ['shop', 'host', 'cron', 'db'].map(node), edges: [edge('shop', 'host', 'runs_on'), edge('cron', 'host', 'runs_on'), edge('shop', 'db')] };
    expect(relevant(graph, ['shop', 'host']).nodes.map((n) => n.id)).toEqual(['shop', 'host', 'db']);
});

test('rows fit the width, the important ones stay, and it says how many were left out', () => {
    const graph = { nodes: Array.from({ length: 30 }, (_, i) => node(`n${i}`)), edges: [] };
    const shape = laidOut(graph, ['n29'], 320, 6);
    expect(shape.nodes.map((n) => n.id)).toContain('n29');
    expect(shape.nodes).toHaveLength(6);
    expect(shape.left).toBe(24);
    expect(shape.nodes.every((n) => n.x >= 75 && n.x <= 245)).toBe(true);
    expect(new Set(shape.nodes.map((n) => n.y)).size).toBe(3);
});
