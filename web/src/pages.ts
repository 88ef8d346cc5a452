// The console's pages: a row each. Navigation (rail, phone bar, drawer), keys and titles come from here; to add a page,
// add its component and a row (docs/developers/add-a-page.md).
import type { Component } from 'svelte';
import { here } from './here.svelte';
import AlertPage from './pages/AlertPage.svelte';
import Alerts from './pages/Alerts.svelte';
import Audit from './pages/Audit.svelte';
import EntityPage from './pages/EntityPage.svelte';
import IncidentPage from './pages/IncidentPage.svelte';
import Incidents from './pages/Incidents.svelte';
import Inventory from './pages/Inventory.svelte';
import Ledger from './pages/Ledger.svelte';
import Logs from './pages/Logs.svelte';
import Metrics from './pages/Metrics.svelte';
import OnCall from './pages/OnCall.svelte';
import Overview from './pages/Overview.svelte';
import RunPage from './pages/RunPage.svelte';
import RunbookPage from './pages/RunbookPage.svelte';
import Runbooks from './pages/Runbooks.svelte';
import Runs from './pages/Runs.svelte';

import Settings from './pages/Settings.svelte';
import Shadow from './pages/Shadow.svelte';
import Silences from './pages/Silences.svelte';
import SourcePage from './pages/SourcePage.svelte';
import Sources from './pages/Sources.svelte';
import TemplatePage from './pages/TemplatePage.svelte';
import Templates from './pages/Templates.svelte';
import type { IconName } from './parts/Icon.svelte';
import { needsCare } from './sources';

export interface Page {
    page: string; // the address: #/page, and #/page/id for its detail
    title: string;
    icon: IconName;
    key: string; // behind "g"
    group: string; // pages of a group stand together; '' for those without a heading
    bar?: true; // in a phone's bottom bar, when not all fit
    component: Component;
    detail?: Component<{ id: string }>; // #/page/id
    count?: () => { number: number; says: string } | null; // the badge beside the title
}

export const pages: Page[] = [
    { page: 'overview', title: 'Overview', icon: 'overview', key: 'o', group: '', bar: true, component: Overview },
    { page: 'incidents', title: 'Incidents', icon: 'incidents', key: 'i', group: 'Respond', bar: true, component: Incidents, detail: IncidentPage },
    { page: 'alerts', title: 'Alerts', icon: 'alerts', key: 'a', group: 'Respond', component: Alerts, detail: AlertPage },
    { page: 'silences', title: 'Silences', icon: 'silence', key: 'n', group: 'Respond', component: Silences },
    { page: 'on-call', title: 'On call', icon: 'oncall', key: 'c', group: 'Respond', component: OnCall },
    { page: 'runs', title: 'Runs', icon: 'play', key: 'r', group: 'Respond', component: Runs, detail: RunPage },
    { page: 'runbooks', title: 'Runbooks', icon: 'runbooks', key: 'b', group: 'Respond', component: Runbooks, detail: RunbookPage },
    { page: 'inventory', title: 'Inventory', icon: 'inventory', key: 'e', group: 'Explore', component: Inventory, detail: EntityPage },
    { page: 'metrics', title: 'Metrics', icon: 'metrics', key: 'm', group: 'Explore', bar: true, component: Metrics },
    { page: 'logs', title: 'Logs', icon: 'logs', key: 'l', group: 'Explore', bar: true, component: Logs },
    { page: 'templates', title: 'Templates', icon: 'templates', key: 'p', group: 'Explore', component: Templates, detail: TemplatePage },
    { page: 'sources', title: 'Sources', icon: 'sources', key: 's', group: 'Explore', bar: true, component: Sources, detail: SourcePage, count: troubledSources },
    { page: 'ledger', title: 'Model ledger', icon: 'ledger', key: 'd', group: 'System', component: Ledger },
    { page: 'shadow', title: 'Shadow mode', icon: 'copy', key: 'h', group: 'System', component: Shadow },
    { page: 'audit', title: 'Audit log', icon: 'audit', key: 'u', group: 'System', component: Audit },
    { page: 'settings', title: 'Settings', icon: 'settings', key: 't', group: 'System', component: Settings },
];

function troubledSources() {
    const number = here.sources?.filter(needsCare).length ?? 0;
    return number > 0 ? { number, says: `${number} silent or failing` } : null;
}
