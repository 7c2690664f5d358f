import { mount } from 'svelte';
import '../design/tokens.css';
import '../design/controls.css';
import Citizen from './Citizen.svelte';

mount(Citizen, { target: document.body });
