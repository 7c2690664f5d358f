import { mount } from 'svelte';
import '../design/tokens.css';
import '../design/controls.css';
import './officer.css';
import Officer from './Officer.svelte';

mount(Officer, { target: document.body });
